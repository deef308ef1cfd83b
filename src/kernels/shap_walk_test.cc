// The vector walk against the scalar one, on random trees, for every instruction set; and additivity by hand.
#include "kernels/shap_walk.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

// A random tree on `num_features` features with constants from arbitrary numbers: only the arithmetic is compared here.
struct RandomTree {
    std::vector<ShapEdge> edges;
    std::vector<std::int32_t> events;
    std::vector<double> constants;
    std::vector<double> weights;
    std::vector<double> outside;
    std::vector<std::uint8_t> went_right;
    std::size_t depth = 0;
    std::size_t num_features = 3;
    std::mt19937 random{7};

    double Uniform() { return std::uniform_real_distribution<double>(0.1, 0.9)(random); }

    void Grow(std::int32_t parent_depth, std::vector<std::int32_t>& last_of) {
        auto split = static_cast<std::int32_t>(went_right.size());
        went_right.push_back(static_cast<std::uint8_t>(random()));
        auto feature = static_cast<std::size_t>(random() % num_features);
        for (int side = 0; side < 2; ++side) {
            auto at = static_cast<std::int32_t>(edges.size());
            bool leaf = parent_depth >= 6 || random() % 4 == 0;
            edges.push_back({parent_depth + 1, last_of[feature], static_cast<std::int32_t>(feature), split, Uniform(),
                             Uniform() - 0.5, side == 1, leaf});
            depth = std::max(depth, static_cast<std::size_t>(parent_depth) + 1);
            events.push_back(at);
            if (!leaf) {
                std::int32_t before = last_of[feature];
                last_of[feature] = at;
                Grow(parent_depth + 1, last_of);
                last_of[feature] = before;
            }
            events.push_back(~at);
        }
    }

    ShapTree View() const {
        return {edges.data(),   events.data(),  events.size(),  constants.data(),
                weights.data(), outside.data(), weights.size(), depth};
    }
};

TEST(ShapWalkTest, VectorAndScalarGiveTheSameBits) {
    for (std::size_t points : {1U, 2U, 3U, 4U, 7U}) {
        RandomTree tree;
        std::vector<std::int32_t> last_of(tree.num_features, -1);
        tree.Grow(0, last_of);
        for (std::size_t q = 0; q < points; ++q) {
            tree.weights.push_back(tree.Uniform());
            tree.outside.push_back(-1 - tree.Uniform());
        }
        for (std::size_t i = 0; i < tree.edges.size() * kShapConstants * points; ++i)
            tree.constants.push_back(tree.Uniform());
        alignas(64) double expected[3 * kShapRows] = {};
        std::vector<double> room(ShapScratch(tree.depth, points) + 8);
        auto* scratch = reinterpret_cast<double*>((reinterpret_cast<std::uintptr_t>(room.data()) + 63) / 64 * 64);
        std::vector<std::uint8_t> flags(tree.depth + 1);
        WalkShapScalar(tree.View(), tree.went_right.data(), scratch, flags.data(), expected);
        double magnitude = 0;
        for (double value : expected) magnitude += std::abs(value);
        EXPECT_GT(magnitude, 0);
        for (const std::string& name : SimdNames()) {
            ASSERT_TRUE(LimitSimd(name));
            alignas(64) double phi[3 * kShapRows] = {};
            WalkShap(tree.View(), tree.went_right.data(), scratch, flags.data(), phi);
            for (std::size_t i = 0; i < 3 * kShapRows; ++i) EXPECT_EQ(phi[i], expected[i]) << name << " " << i;
        }
        ASSERT_TRUE(LimitSimd(""));
    }
}

// A stump: the row goes to the leaf of value 3, a quarter of the rows do; the mean is 0.25 * 3 + 0.75 * -1 = 0.
TEST(ShapWalkTest, AStumpGivesTheWholeDifference) {
    const double t = 0.5;
    const ShapEdge edges[2] = {{1, -1, 0, 0, 0.75, -1, false, true}, {1, -1, 0, 0, 0.25, 3, true, true}};
    const std::int32_t events[4] = {0, ~0, 1, ~1};
    double constants[6];
    for (int e = 0; e < 2; ++e) {
        double z = edges[e].share;
        constants[3 * e] = (1 - t) * z + t;
        constants[3 * e + 1] = (1 - t) * z;
        constants[3 * e + 2] = (1 - z) / constants[3 * e];
    }
    const double weight = 1;
    const double outside = -1 / (1 - t);
    const std::uint8_t went_right = 1;  // row 0 only
    alignas(64) double scratch[4 * kShapRows];
    std::uint8_t flags[2];
    alignas(64) double phi[kShapRows] = {};
    WalkShap({edges, events, 4, constants, &weight, &outside, 1, 1}, &went_right, scratch, flags, phi);
    EXPECT_DOUBLE_EQ(phi[0], 3.0);
    EXPECT_DOUBLE_EQ(phi[1], -1.0);
}

}  // namespace
}  // namespace espalier::kernels
