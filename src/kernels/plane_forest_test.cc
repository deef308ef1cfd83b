// The vector form against the scalar one, for every instruction set and awkward numbers of rows.
#include "kernels/plane_forest.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

template <typename T>
T* Aligned(std::vector<T>& numbers) {
    return reinterpret_cast<T*>((reinterpret_cast<std::uintptr_t>(numbers.data()) + 63) / 64 * 64);
}

TEST(PlaneForestTest, VectorAndScalarGiveTheSameBits) {
    std::mt19937 random(3);
    const std::size_t columns = 5;
    std::vector<std::uint32_t> first = {0, 3, 3, 10, 11, 40};
    std::vector<PlaneCondition> conditions;
    std::normal_distribution<float> normal;
    for (std::uint32_t c = 0; c < first.back(); ++c)
        conditions.push_back({c % 7 == 0 ? 0.0F : normal(random), random() % 2 == 0});
    conditions[4].threshold = std::numeric_limits<float>::infinity();
    std::vector<PlaneSelect> selects;
    std::vector<PlaneTree> trees;
    std::vector<float> leaves;
    const std::uint32_t planes = first.back();
    for (std::uint32_t depth = 0; depth <= kPlaneDepthMax; ++depth) {
        PlaneTree tree{static_cast<std::uint32_t>(selects.size()), 20,       {}, depth,
                       static_cast<std::uint32_t>(leaves.size()),  depth % 2};
        for (std::uint32_t i = 0; i < 20; ++i) {
            selects.push_back({planes + i, static_cast<std::uint32_t>(random() % planes),
                               static_cast<std::uint32_t>(random() % (planes + i)),
                               static_cast<std::uint32_t>(random() % (planes + i))});
        }
        for (std::uint32_t& bit : tree.bits) bit = static_cast<std::uint32_t>(random() % (planes + 20));
        for (std::size_t leaf = 0; leaf < std::size_t{1} << depth; ++leaf) leaves.push_back(normal(random));
        trees.push_back(tree);
    }
    PlaneForest forest{first.data(), conditions.data(), columns,      selects.data(),
                       trees.data(), trees.size(),      leaves.data()};
    std::vector<float> value_room(columns * kPlaneStride + 16);
    float* values = Aligned(value_room);
    for (std::size_t i = 0; i < columns * kPlaneStride; ++i) {
        values[i] = random() % 5 == 0   ? std::numeric_limits<float>::quiet_NaN()
                    : random() % 4 == 0 ? 0.0F
                                        : normal(random);
    }
    std::vector<std::uint8_t> plane_room((planes + 20) * kPlaneBytes + 64);
    for (std::size_t rows : {1U, 15U, 16U, 63U, 64U, 65U, 200U, 256U}) {
        std::vector<float> expected_room(2 * kPlaneRows + 16, 1.0F);
        AddPlaneLeavesScalar(forest, values, rows, Aligned(plane_room), Aligned(expected_room));
        for (const std::string& name : SimdNames()) {
            ASSERT_TRUE(LimitSimd(name));
            std::vector<float> room(2 * kPlaneRows + 16, 1.0F);
            AddPlaneLeaves(forest, values, rows, Aligned(plane_room), Aligned(room));
            for (std::size_t group = 0; group < 2; ++group) {
                EXPECT_EQ(0, std::memcmp(Aligned(room) + group * kPlaneRows,
                                         Aligned(expected_room) + group * kPlaneRows, rows * sizeof(float)))
                    << name << " " << rows;
            }
        }
        ASSERT_TRUE(LimitSimd(""));
    }
}

}  // namespace
}  // namespace espalier::kernels
