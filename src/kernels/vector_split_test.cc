#include "kernels/vector_split.h"

#include <gtest/gtest.h>

#include <random>

namespace espalier::kernels {
namespace {

constexpr std::size_t kTargets = 3;
constexpr std::size_t kBins = 9;

struct Node {
    std::vector<GainParams> gains;
    std::vector<WidePair> bins;   ///< [targets x bins]
    std::vector<WidePair> total;  ///< [targets] bins and missing rows
};

Node RandomNode(std::mt19937& draw, bool missing) {
    Node node;
    std::uniform_int_distribution<int> grad(-4000, 4000);
    std::uniform_int_distribution<int> hess(0, 900);
    for (std::size_t target = 0; target < kTargets; ++target) {
        GainParams gain;
        gain.alpha = 0.25F;
        gain.min_child_weight = 0.5F;
        gain.grad_unit = 1.0 / 1024;
        gain.hess_unit = target == 0 ? 1.0 / 256 : 1.0 / 512;
        node.gains.push_back(gain);
        WidePair total;
        for (std::size_t bin = 0; bin < kBins; ++bin) {
            node.bins.push_back({grad(draw), hess(draw)});
            total += node.bins.back();
        }
        if (missing) total += {grad(draw), 1 + hess(draw)};
        node.total.push_back(total);
    }
    return node;
}

std::vector<WidePair> LeftOf(const Node& node, int bin, bool missing_left) {
    std::vector<WidePair> left(kTargets);
    for (std::size_t target = 0; target < kTargets; ++target) {
        WidePair present;
        for (int i = 0; i < static_cast<int>(kBins); ++i) {
            const WidePair& sum = node.bins[target * kBins + static_cast<std::size_t>(i)];
            present += sum;
            if (i <= bin) left[target] += sum;
        }
        if (!missing_left) continue;
        left[target] += node.total[target];
        left[target] -= present;
    }
    return left;
}

float LossOf(const Node& node, const std::vector<WidePair>& left) {
    std::vector<WidePair> right = node.total;
    for (std::size_t target = 0; target < kTargets; ++target) right[target] -= left[target];
    return static_cast<float>(VectorGain(node.gains, left.data()) + VectorGain(node.gains, right.data()) -
                              VectorGain(node.gains, node.total.data()));
}

TEST(VectorSplit, FindsWhatTryingAllSplitsFinds) {
    std::mt19937 draw(7);
    for (int round = 0; round < 200; ++round) {
        const bool missing = round % 2 == 0;
        const Node node = RandomNode(draw, missing);
        VectorCandidate best;
        ScanVectorFeature(node.gains, node.bins.data(), kBins, kBins, node.total.data(),
                          VectorGain(node.gains, node.total.data()), 5, best);
        float greatest = 0;
        for (int bin = -1; bin < static_cast<int>(kBins); ++bin) {
            if (bin >= 0) greatest = std::max(greatest, LossOf(node, LeftOf(node, bin, false)));
            if (missing) greatest = std::max(greatest, LossOf(node, LeftOf(node, bin, true)));
        }
        ASSERT_EQ(best.split.loss_change, greatest);
        if (greatest == 0) continue;
        EXPECT_EQ(best.split.feature, 5U);
        EXPECT_EQ(best.left, LeftOf(node, best.split.bin, best.split.default_left));
        EXPECT_EQ(LossOf(node, best.left), greatest);
        EXPECT_TRUE(missing || !best.split.default_left);
    }
}

TEST(VectorSplit, ALightSideWeighsNothingInsteadOfBarringTheSplit) {
    Node node;
    GainParams gain;
    gain.min_child_weight = 4;
    node.gains = {gain};
    node.bins = {{-10, 1}, {30, 9}};
    node.total = {{20, 10}};
    VectorCandidate best;
    ScanVectorFeature(node.gains, node.bins.data(), 2, 2, node.total.data(), VectorGain(node.gains, node.total.data()),
                      0, best);
    EXPECT_EQ(best.split.bin, 0);
    EXPECT_FLOAT_EQ(best.split.loss_change, 900.0F / 10 - 400.0F / 11);
}

}  // namespace
}  // namespace espalier::kernels
