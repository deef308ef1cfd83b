// XGBoost's weighted quantile summaries: which of a feature's values become cut points.
//
// Nouns: SketchEntry (a value with the ranks it spans), summary (entries in rising order). The arithmetic of ranks is
// float, as XGBoost's is, so that the same entries are picked.
// Source: xgboost 3.2 common/quantile.h and quantile.cc (WQSummary, WXQSummary, SortedQuantile); contracts/xgboost.md
// 4.5. Pure functions.
#pragma once

#include <cstddef>
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

/// What is left when values are pushed in rising order, weighted by hessians (approx): an entry whenever the weight so
/// far reaches the next of max_bin equal steps. weight_unit: what a unit of the summary's weights stands for. The
/// summary must have values.
std::vector<SketchEntry> PickByWeight(const ValueSummary& summary, std::size_t max_bin, double weight_unit);

}  // namespace espalier::data
