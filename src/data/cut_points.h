// Cut points: where the values of each feature are cut into bins, as XGBoost's hist does it.
//
// Nouns: ValueSummary (the distinct values of one feature with how much weight each has), CutPoints.
// Steps: data/value_summaries.h makes each rank's summaries -> they merge exactly, because weights are integers ->
// BuildCutPoints applies XGBoost's rule to the exact summary. So the cuts do not depend on sharding, threads or order.
// Rule (xgboost 3.2, common/quantile.cc; contracts/xgboost.md 4.5): data/quantile_sketch.h picks at most max_bin + 1
// values, the lowest first; every one from the second on is a cut (with at most max_bin distinct values, all of them).
// The last cut lies above every value: v_max + (|v_max| + 1e-5). Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"

namespace espalier::data {

/// A histogram has a cell for each bin; beyond this many, the memory for them is more than what they could tell.
inline constexpr int kMaxBinLimit = 1 << 20;

/// When cut points are made.
enum class Cutting {
    kOnce,     ///< before the first round
    kPerTree,  ///< anew for each tree, weighted by its hessians
    kNever,    ///< splits are found among the values themselves
};

/// Distinct values of one feature, rising, each with its total weight in units all ranks agree on (1 per row when rows
/// have no weights). Values of rows with weight 0 are not listed but counted in num_entries.
struct ValueSummary {
    std::vector<float> values;
    std::vector<std::int64_t> weights;  ///< [values]
    std::uint64_t num_entries = 0;      ///< present values, with repetition

    /// This becomes the summary of both together.
    void Merge(ValueSummary other);
};

struct CutPoints {
    std::vector<std::uint32_t> offsets = {0};  ///< [features + 1] first cut of each feature
    std::vector<float> values;        ///< [offsets.back()] upper, exclusive bounds of the bins, rising per feature
    std::vector<float> min_values;    ///< [features] below every value; the cut before the first bin
    std::vector<float> first_values;  ///< [features] the lowest value; 0 for a feature without values

    bool operator==(const CutPoints&) const = default;
    std::size_t num_features() const { return min_values.size(); }
    std::uint32_t num_bins(std::size_t feature) const { return offsets[feature + 1] - offsets[feature]; }
    /// Bin of a present value; values above the last cut belong to the last bin.
    std::uint32_t BinOf(std::size_t feature, float value) const;
    /// The lowest value of a bin's range that occurs: the value itself when every distinct value has its bin.
    float FirstValueOf(std::size_t feature, std::uint32_t bin) const {
        return bin == 0 ? first_values[feature] : values[offsets[feature] + bin - 1];
    }
    /// Upper, exclusive bound of a bin; bin -1 lies below the first.
    float ThresholdOf(std::size_t feature, std::int32_t bin) const {
        return bin < 0 ? min_values[feature] : values[offsets[feature] + static_cast<std::uint32_t>(bin)];
    }
};

struct SketchPlan;

/// How a feature's values become cuts: see data/quantile_sketch.h.
struct CutRule {
    enum class Sketch {
        kRows,    ///< hist: the weights are the rows'
        kSorted,  ///< approx: the weights are hessians, the sums of which are steps
    };
    Sketch sketch = Sketch::kRows;
    double weight_unit = 1;  ///< kSorted: what a unit of the summaries' weights stands for
    /// kRows: what of the summary is listed, when that is not all. Borrowed, may be null.
    const SketchPlan* plan = nullptr;
};

/// The cuts of one feature; a part of CutPoints.
struct FeatureCuts {
    float min_value = 0;
    float first_value = 0;
    std::vector<float> values;
};

/// As BuildCutPoints, of one feature.
FeatureCuts CutFeature(const ValueSummary& summary, int max_bin, bool categorical = false, const CutRule& rule = {});
CutPoints JoinCuts(std::span<const FeatureCuts> of_feature);

/// The cuts of all features from their summaries. A feature without values gets one bin. max_bin in 2..kMaxBinLimit.
/// categorical: [features] 1 for one whose values are numbers of categories, below kMaxBinLimit: bin c is category c,
/// also when none of the rows has it; empty: none is.
CutPoints BuildCutPoints(std::span<const ValueSummary> summaries, int max_bin, WorkerTeam& team,
                         std::span<const std::uint8_t> categorical = {}, const CutRule& rule = {});

}  // namespace espalier::data
