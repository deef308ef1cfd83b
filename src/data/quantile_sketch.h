// XGBoost's weighted quantile summaries: which of a feature's values become cut points.
//
// Nouns: SketchEntry (a value with the ranks it spans), summary (entries in rising order). The arithmetic of ranks is
// float, as XGBoost's is, so that the same entries are picked.
// A long summary need not be listed as a whole: SketchPlan tells which of its ranks decide.
// Source: xgboost 3.2 common/quantile.h and quantile.cc (WQSummary, WXQSummary, SortedQuantile); contracts/xgboost.md
// 4.5. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "data/cut_points.h"

namespace espalier::data {

struct SketchEntry {
    float rank_min;
    float rank_max;
    float weight;
    float value;
};

/// What is left when values are pushed row by row (hist): at most max_bin + 1 entries, the first and the last value
/// among them. XGBoost prunes on the way once a queue of values is full; here the summary is exact, so entries are
/// XGBoost's as long as that queue never fills (about 32 * max_bin present values), and nearer to the quantiles beyond.
/// The summary must have values.
std::vector<SketchEntry> PruneForBins(const ValueSummary& summary, std::size_t max_bin);

/// Which ranks PruneForBins looks at, for a summary so long that most of its entries never matter. Each of the three
/// prunings keeps the entries nearest to its goals; the entries around a goal of the last one depend on few goals of
/// the one before, and so back to the values.
struct SketchPlan {
    /// Goals of one pruning, rising, those left out that nothing depends on.
    struct Pruning {
        std::size_t size_max = 0;
        std::vector<std::size_t> goals;
    };
    struct RankSpan {
        double begin;
        double end;
    };
    std::vector<Pruning> prunings;
    /// Rising; may overlap. An entry that holds one of these ranks must be listed by itself, as must the first and the
    /// last. Others may be listed several as one, whatever its value is, if it lies between its neighbours.
    std::vector<RankSpan> spans;

    /// num_entries values that weigh 1 each, of which the lowest occurs at most num_lowest times, the highest at most
    /// num_highest times, any at most num_equal times. Nothing when so many are equal that another number of entries
    /// might be kept, or when there are too few, or too many for ranks to be exact.
    static std::optional<SketchPlan> Create(std::uint64_t num_entries, std::size_t max_bin, std::uint64_t num_lowest,
                                            std::uint64_t num_highest, std::uint64_t num_equal);
};

/// As PruneForBins of the whole summary, which `summary` is but for what the plan lets be.
std::vector<SketchEntry> PruneForBins(const ValueSummary& summary, const SketchPlan& plan);

/// What is left when values are pushed in rising order, weighted by hessians (approx): an entry whenever the weight so
/// far reaches the next of max_bin equal steps. weight_unit: what a unit of the summary's weights stands for. The
/// summary must have values.
std::vector<SketchEntry> PickByWeight(const ValueSummary& summary, std::size_t max_bin, double weight_unit);

}  // namespace espalier::data
