#include "kernels/split_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/histogram.h"
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

TEST(SplitSieve, IsItsOracleOnEveryInstructionSet) {
    std::mt19937 rng(17);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : {1U, 7U, 8U, 9U, 16U, 63U, 64U, 500U}) {
            std::vector<PackedPair> prefixes((size + 7) / 8 * 8, 0);
            for (std::size_t i = 0; i < size; ++i) {
                prefixes[i] =
                    Pack(static_cast<std::int64_t>(rng() % 4'000'000'000U) - 2'000'000'000, rng() % 2'000'000'000);
            }
            const SplitSieve sieve{.total_g = 1e8, .total_h = 2e9, .lambda = 3e5, .hess_min = 1e6, .bar = 4e8};
            std::vector<std::uint8_t> expected(prefixes.size() / 8);
            std::vector<std::uint8_t> passed(prefixes.size() / 8);
            FindPassingSplitsScalar(sieve, prefixes.data(), size, expected.data());
            FindPassingSplits(sieve, prefixes.data(), size, passed.data());
            for (std::size_t i = 0; i < size; ++i) {
                ASSERT_EQ(passed[i / 8] >> (i % 8) & 1, expected[i / 8] >> (i % 8) & 1) << level << " " << i;
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
    EXPECT_FALSE(LimitSimd("mmx").has_value());
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

TEST(Histogram, RowsAddUpAtAwkwardSizes) {
    std::mt19937 rng(5);
    for (const std::size_t num_rows : {0U, 1U, 3U, 4U, 5U, 12U, 13U, 500U}) {
        constexpr std::size_t kCells = 97;
        std::vector<std::uint32_t> offsets = {0};
        std::vector<std::uint16_t> cells;
        std::vector<std::uint16_t> dense;
        std::vector<PackedPair> pairs;
        std::vector<WidePair> wide;
        for (std::size_t row = 0; row < num_rows; ++row) {
            for (std::size_t e = rng() % 11; e > 0; --e) cells.push_back(static_cast<std::uint16_t>(rng() % kCells));
            for (int e = 0; e < 7; ++e) dense.push_back(static_cast<std::uint16_t>(rng() % kCells));
            offsets.push_back(static_cast<std::uint32_t>(cells.size()));
            wide.push_back({static_cast<std::int64_t>(rng() % 2000) - 1000, static_cast<std::int64_t>(rng() % 1000)});
            pairs.push_back(Pack(wide.back().g, wide.back().h));
        }
        std::vector<std::uint32_t> rows;
        for (std::uint32_t row = 0; row < num_rows; ++row) {
            if (rng() % 3 != 0) rows.push_back(row);
        }
        std::vector<WidePair> expected(kCells);
        std::vector<WidePair> expected_dense(kCells);
        for (const auto row : rows) {
            for (auto e = offsets[row]; e < offsets[row + 1]; ++e) expected[cells[e]] += wide[row];
            for (std::size_t e = 0; e < 7; ++e) expected_dense[dense[row * 7 + e]] += wide[row];
        }
        std::vector<PackedPair> sums(kCells, 0);
        std::vector<WidePair> wide_sums(kCells);
        AddRows(rows, offsets.data(), cells.data(), pairs.data(), sums.data());
        AddRows(rows, offsets.data(), cells.data(), wide.data(), wide_sums.data());
        EXPECT_EQ(wide_sums, expected);
        for (std::size_t cell = 0; cell < kCells; ++cell) {
            ASSERT_EQ(SumG(sums[cell]), expected[cell].g);
            ASSERT_EQ(SumH(sums[cell]), expected[cell].h);
        }
        std::vector<WidePair> dense_sums(kCells);
        AddDenseRows(rows, 7, dense.data(), wide.data(), dense_sums.data());
        EXPECT_EQ(dense_sums, expected_dense);
    }
}

}  // namespace
}  // namespace espalier::kernels
