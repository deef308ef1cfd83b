#include "kernels/split_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/simd_targets.h"
#include "kernels/split_sieve.h"

namespace espalier::kernels {
namespace {

/// Every way to part the bins and the missing, tried one by one from sums made anew; the contract's mathematics.
SplitCandidate BruteForce(const GainParams& params, const std::vector<WidePair>& bins, WidePair missing,
                          std::uint32_t feature) {
    WidePair total = missing;
    for (const WidePair& bin : bins) total += bin;
    const auto gain_of = [&](const WidePair& sum) {
        return NodeGain(params, static_cast<double>(sum.g) * params.grad_unit,
                        static_cast<double>(sum.h) * params.hess_unit);
    };
    const float node_gain = gain_of(total);
    SplitCandidate best;
    best.feature = feature;
    const bool any_missing = !(missing == WidePair{});
    const auto try_split = [&](std::int32_t bin, bool default_left) {
        WidePair left = default_left ? missing : WidePair{};
        for (std::int32_t b = 0; b <= bin; ++b) left += bins[static_cast<std::size_t>(b)];
        WidePair right = total;
        right -= left;
        if (static_cast<double>(left.h) * params.hess_unit < params.min_child_weight) return;
        if (static_cast<double>(right.h) * params.hess_unit < params.min_child_weight) return;
        const float loss_change = gain_of(left) + gain_of(right) - node_gain;
        if (std::isinf(loss_change) || !(loss_change > best.loss_change)) return;
        best.loss_change = loss_change;
        best.bin = bin;
        best.default_left = default_left;
        best.left = left;
    };
    const auto num_bins = static_cast<std::int32_t>(bins.size());
    for (std::int32_t bin = 0; bin < num_bins; ++bin) try_split(bin, false);
    if (any_missing) {
        for (std::int32_t bin = num_bins - 1; bin >= 0; --bin) try_split(bin - 1, true);
    }
    return best;
}

class ScanAgainstBruteForce : public testing::TestWithParam<int> {};

TEST_P(ScanAgainstBruteForce, FindsTheSameSplit) {
    std::mt19937 rng(static_cast<unsigned>(GetParam()));
    const std::vector<std::string> levels = SimdNames();
    ASSERT_TRUE(LimitSimd(levels[static_cast<std::size_t>(GetParam()) % levels.size()]).has_value());
    for (int trial = 0; trial < 400; ++trial) {
        GainParams params;
        params.lambda = static_cast<float>(rng() % 4) * 0.5F;
        params.alpha = rng() % 3 == 0 ? static_cast<float>(rng() % 10) : 0.0F;
        params.max_delta_step = rng() % 4 == 0 ? 0.5F : 0.0F;
        params.min_child_weight = static_cast<float>(rng() % 3);
        params.grad_unit = 0.125;
        params.hess_unit = 0.25;
        const std::size_t num_bins = std::vector<std::size_t>{1, 2, 7, 8, 9, 15, 16, 17, 31, 64, 100, 257}[rng() % 12];
        std::vector<WidePair> bins(num_bins);
        for (WidePair& bin : bins) {
            if (rng() % 4 == 0) continue;  // Empty bins lie between.
            bin = {static_cast<std::int64_t>(rng() % 200) - 100, static_cast<std::int64_t>(rng() % 20)};
        }
        WidePair missing;
        if (rng() % 2 == 0)
            missing = {static_cast<std::int64_t>(rng() % 200) - 100, static_cast<std::int64_t>(rng() % 20)};
        const SplitCandidate expected = BruteForce(params, bins, missing, 5);

        WidePair total = missing;
        for (const WidePair& bin : bins) total += bin;
        const float node_gain = NodeGain(params, static_cast<double>(total.g) * params.grad_unit,
                                         static_cast<double>(total.h) * params.hess_unit);
        std::vector<PackedPair> packed;
        for (const WidePair& bin : bins) packed.push_back(Pack(bin.g, bin.h));
        SplitCandidate wide_best;
        ScanFeature(params, bins.data(), bins.size(), total, node_gain, 5, wide_best);
        SplitCandidate packed_best;
        ScanFeature(params, packed.data(), packed.size(), total, node_gain, 5, packed_best);
        for (const SplitCandidate& found : {wide_best, packed_best}) {
            ASSERT_EQ(found.loss_change, expected.loss_change);
            if (!expected.found()) continue;
            ASSERT_EQ(found.bin, expected.bin);
            ASSERT_EQ(found.default_left, expected.default_left);
            ASSERT_EQ(found.left, expected.left);
            ASSERT_EQ(found.feature, 5U);
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

template <typename Sieve, typename Pair>
void CompareSieves(const Sieve& sieve, const std::vector<Pair>& prefixes, std::size_t size, const std::string& level) {
    std::vector<std::uint8_t> expected(prefixes.size() / 8);
    std::vector<std::uint8_t> passed(prefixes.size() / 8);
    const bool any_heavy = FindPassingSplitsScalar(sieve, prefixes.data(), size, expected.data());
    EXPECT_EQ(FindPassingSplits(sieve, prefixes.data(), size, passed.data()), any_heavy);
    for (std::size_t i = 0; i < size; ++i) {
        ASSERT_EQ(passed[i / 8] >> (i % 8) & 1, expected[i / 8] >> (i % 8) & 1) << level << " " << i;
    }
}

TEST(SplitSieve, IsItsOracleOnEveryInstructionSet) {
    std::mt19937_64 rng(17);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : {1U, 7U, 8U, 9U, 16U, 63U, 64U, 500U}) {
            std::vector<PackedPair> packed((size + 7) / 8 * 8, 0);
            std::vector<WidePair> wide(packed.size());
            for (std::size_t i = 0; i < size; ++i) {
                packed[i] =
                    Pack(static_cast<std::int64_t>(rng() % 4'000'000'000U) - 2'000'000'000, rng() % 2'000'000'000);
                wide[i] = {static_cast<std::int64_t>(rng() >> 2) - (std::int64_t{1} << 61),
                           static_cast<std::int64_t>(rng() >> 4)};
            }
            for (const float alpha : {0.0F, 3e7F}) {
                CompareSieves(SplitSieve{.total_g = 100'000'000,
                                         .total_h = 2'000'000'000,
                                         .hess_min = 1'000'000,
                                         .lambda = 3e5F,
                                         .alpha = alpha,
                                         .bar = 4e8F},
                              packed, size, level);
                CompareSieves(WideSplitSieve{.total_g = std::int64_t{1} << 58,
                                             .total_h = std::int64_t{1} << 60,
                                             .hess_min = std::int64_t{1} << 50,
                                             .lambda = 3e5,
                                             .alpha = alpha * 1e9,
                                             .bar = 1e18},
                              wide, size, level);
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
    EXPECT_FALSE(LimitSimd("mmx").has_value());
}

TEST(ScanFeature, TellsWhenNoPartOfTheNodeCanBeSplit) {
    GainParams params;
    params.min_child_weight = 5;
    SplitCandidate best;
    const std::vector<WidePair> light = {{9, 4}, {-9, 40}};
    EXPECT_FALSE(ScanFeature(params, light.data(), 2, {0, 44}, 0, 0, best));
    const std::vector<WidePair> heavy = {{0, 5}, {0, 40}};
    EXPECT_TRUE(ScanFeature(params, heavy.data(), 2, {0, 45}, 0, 0, best)) << "though this split gains nothing";
    EXPECT_FALSE(best.found());
    const std::vector<WidePair> missing_left = {{0, 3}, {0, 6}};
    EXPECT_TRUE(ScanFeature(params, missing_left.data(), 2, {0, 14}, 0, 0, best))
        << "with the missing ones on the left";
}

INSTANTIATE_TEST_SUITE_P(Seeds, ScanAgainstBruteForce, testing::Range(1, 9));

TEST(SplitCandidate, TheLowerFeatureWinsATie) {
    SplitCandidate best;
    const std::vector<WidePair> bins = {{-40, 8}, {40, 8}};
    const GainParams params;
    for (const std::uint32_t feature : {7U, 3U, 5U}) ScanFeature(params, bins.data(), 2, {0, 16}, 0, feature, best);
    EXPECT_TRUE(best.found());
    EXPECT_EQ(best.feature, 3U);
}

TEST(NodeWeight, MinimisesTheRegularisedLoss) {
    GainParams params;
    params.lambda = 2;
    params.alpha = 1.5F;
    const auto loss = [&](double w) { return 7.0 * w + 0.5 * (4.0 + 2.0) * w * w + 1.5 * std::fabs(w); };
    const double weight = NodeWeight(params, 7.0, 4.0);
    for (const double step : {-1e-3, 1e-3}) EXPECT_LT(loss(weight), loss(weight + step));
    EXPECT_EQ(NodeWeight(params, 1.0, 4.0), 0.0F) << "alpha swallows a small gradient";
    EXPECT_EQ(NodeWeight(params, 7.0, 0.5), 0.0F) << "below min_child_weight";
}

}  // namespace
}  // namespace espalier::kernels
