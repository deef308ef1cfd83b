#include "data/quantile_sketch.h"

#include <gtest/gtest.h>

#include <map>

#include "data/cut_points.h"

namespace espalier::data {
namespace {

/// Values 0..num_values - 1 of weight 1, but for some.
ValueSummary Ramp(int num_values, const std::map<int, std::int64_t>& weights = {}) {
    ValueSummary summary;
    for (int value = 0; value < num_values; ++value) {
        summary.values.push_back(static_cast<float>(value));
        summary.weights.push_back(weights.contains(value) ? weights.at(value) : 1);
    }
    summary.num_entries = static_cast<std::uint64_t>(num_values);
    return summary;
}

std::vector<float> CutsOf(const ValueSummary& summary, int max_bin, CutRule::Sketch sketch) {
    WorkerTeam team(1);
    return BuildCutPoints({{summary}}, max_bin, team, {}, {.sketch = sketch, .weight_unit = 0.25}).values;
}

// The expected cuts were read from xgboost 3.2.0's DMatrix.get_quantile_cut after a round of approx, whose hessians
// were 0.25 times the weight, or of hist.
TEST(QuantileSketch, ApproxTakesEqualStepsOfWeight) {
    const auto cuts = [](const ValueSummary& summary, int max_bin) {
        return CutsOf(summary, max_bin, CutRule::Sketch::kSorted);
    };
    using Cuts = std::vector<float>;
    EXPECT_EQ(cuts(Ramp(6), 4), (Cuts{5, 10.00001F})) << "half as many entries as bins are kept of so few values";
    EXPECT_EQ(cuts(Ramp(12), 4), (Cuts{2, 5, 8, 22.00001F}));
    EXPECT_EQ(cuts(Ramp(40), 8), (Cuts{4, 9, 14, 19, 24, 29, 34, 78.00001F}));
    EXPECT_EQ(cuts(Ramp(40, {{5, 16}, {17, 16}}), 8), (Cuts{5, 6, 11, 17, 18, 22, 31, 78.00001F}));
}

TEST(QuantileSketch, ApproxKeepsLargeEntriesWhenItPrunes) {
    const auto cuts = [](const ValueSummary& summary, int max_bin) {
        return CutsOf(summary, max_bin, CutRule::Sketch::kSorted);
    };
    using Cuts = std::vector<float>;
    EXPECT_EQ(cuts(Ramp(12, {{2, 9}, {7, 9}}), 6), (Cuts{2, 3, 5, 7, 8, 22.00001F}));
    EXPECT_EQ(cuts(Ramp(14, {{2, 9}, {7, 9}}), 12), (Cuts{2, 4, 7, 13, 26.00001F}));
    EXPECT_EQ(cuts(Ramp(14, {{2, 9}, {7, 9}}), 13), (Cuts{2, 7, 8, 13, 26.00001F}));
    EXPECT_EQ(cuts(Ramp(14, {{4, 4}, {9, 4}}), 12), (Cuts{4, 5, 8, 9, 13, 26.00001F}));
    EXPECT_EQ(cuts(Ramp(14, {{4, 4}, {9, 4}}), 13), (Cuts{4, 7, 9, 10, 13, 26.00001F}));
}

TEST(QuantileSketch, HistPrunesInThreeSteps) {
    EXPECT_EQ(CutsOf(Ramp(6), 4, CutRule::Sketch::kRows), (std::vector<float>{2, 3, 4, 10.00001F}));
    EXPECT_EQ(CutsOf(Ramp(40, {{5, 4}, {17, 4}}), 8, CutRule::Sketch::kRows),
              (std::vector<float>{5, 9, 14, 17, 22, 28, 33, 78.00001F}));
    EXPECT_EQ(CutsOf(Ramp(400), 16, CutRule::Sketch::kRows),
              (std::vector<float>{25, 50, 75, 100, 126, 151, 176, 201, 223, 248, 273, 299, 324, 349, 374, 798}));
}

}  // namespace
}  // namespace espalier::data
