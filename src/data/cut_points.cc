#include "data/cut_points.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "data/quantile_sketch.h"

namespace espalier::data {

namespace {

// Of one task: enough that wide data do not cost a task a feature, few enough for 28 columns to be shared out.
constexpr std::size_t kBlockFeatures = 4;
// XGBoost adds the float 1e-5 in double arithmetic (std::fabs of a double) and rounds once.
constexpr double kMargin = 1e-5F;

std::vector<SketchEntry> Sketched(const ValueSummary& summary, std::size_t bins_max, const CutRule& rule) {
    if (rule.sketch == CutRule::Sketch::kSorted) return PickByWeight(summary, bins_max, rule.weight_unit);
    return rule.plan != nullptr ? PruneForBins(summary, *rule.plan) : PruneForBins(summary, bins_max);
}

FeatureCuts CutsOf(const ValueSummary& summary, int max_bin, const CutRule& rule) {
    FeatureCuts cuts;
    cuts.min_value = 1e-5F;
    float highest = cuts.min_value;
    if (!summary.values.empty()) {
        const auto bins_max = static_cast<std::size_t>(max_bin);
        const std::vector<SketchEntry> kept = Sketched(summary, bins_max, rule);
        const float lowest = kept.front().value;
        cuts.min_value = static_cast<float>(lowest - (std::fabs(double{lowest}) + kMargin));
        const std::size_t num_bins = std::clamp<std::size_t>(summary.num_entries, 1, bins_max);
        const std::size_t num_cuts = std::min(kept.size(), num_bins);
        for (std::size_t i = 1; i < num_cuts; ++i) {
            if (i == 1 || kept[i].value > cuts.values.back()) cuts.values.push_back(kept[i].value);
        }
        highest = kept.back().value;
    }
    if (!summary.values.empty()) cuts.first_value = summary.values.front();
    cuts.values.push_back(static_cast<float>(highest + (std::fabs(double{highest}) + kMargin)));
    return cuts;
}

/// Values below 0 or beyond the last category lie outside the bins; xgboost sends them where unknown ones go.
FeatureCuts CategoriesOf(const ValueSummary& summary) {
    FeatureCuts cuts;
    const float last = summary.values.empty() ? 0.0F : summary.values.back();
    for (std::uint32_t category = 0; category <= static_cast<std::uint32_t>(last); ++category) {
        cuts.values.push_back(static_cast<float>(category + 1));
    }
    return cuts;
}

}  // namespace

void ValueSummary::Merge(ValueSummary other) {
    num_entries += other.num_entries;
    if (other.values.empty()) return;
    if (values.empty()) {
        values = std::move(other.values);
        weights = std::move(other.weights);
        return;
    }
    std::vector<float> merged_values;
    std::vector<std::int64_t> merged_weights;
    merged_values.reserve(values.size() + other.values.size());
    merged_weights.reserve(values.size() + other.values.size());
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < values.size() || j < other.values.size()) {
        const bool take_ours = j == other.values.size() || (i < values.size() && values[i] <= other.values[j]);
        const bool take_theirs = i == values.size() || (j < other.values.size() && other.values[j] <= values[i]);
        merged_values.push_back(take_ours ? values[i] : other.values[j]);
        merged_weights.push_back((take_ours ? weights[i] : 0) + (take_theirs ? other.weights[j] : 0));
        i += take_ours ? 1 : 0;
        j += take_theirs ? 1 : 0;
    }
    values = std::move(merged_values);
    weights = std::move(merged_weights);
}

std::uint32_t CutPoints::BinOf(std::size_t feature, float value) const {
    const float* begin = values.data() + offsets[feature];
    const float* end = values.data() + offsets[feature + 1];
    const auto bin = static_cast<std::uint32_t>(std::upper_bound(begin, end, value) - begin);
    return std::min(bin, num_bins(feature) - 1);
}

FeatureCuts CutFeature(const ValueSummary& summary, int max_bin, bool categorical, const CutRule& rule) {
    CHECK(max_bin >= 2 && max_bin <= kMaxBinLimit, "max_bin {}", max_bin);
    return categorical ? CategoriesOf(summary) : CutsOf(summary, max_bin, rule);
}

CutPoints JoinCuts(std::span<const FeatureCuts> of_feature) {
    CutPoints cuts;
    for (const FeatureCuts& part : of_feature) {
        cuts.min_values.push_back(part.min_value);
        cuts.first_values.push_back(part.first_value);
        cuts.values.insert(cuts.values.end(), part.values.begin(), part.values.end());
        cuts.offsets.push_back(static_cast<std::uint32_t>(cuts.values.size()));
    }
    return cuts;
}

CutPoints BuildCutPoints(std::span<const ValueSummary> summaries, int max_bin, WorkerTeam& team,
                         std::span<const std::uint8_t> categorical, const CutRule& rule) {
    std::vector<FeatureCuts> of_feature(summaries.size());
    team.ForBlocks(summaries.size(), kBlockFeatures, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t f = begin; f < end; ++f) {
            of_feature[f] = CutFeature(summaries[f], max_bin, !categorical.empty() && categorical[f] != 0, rule);
        }
    });
    return JoinCuts(of_feature);
}

}  // namespace espalier::data
