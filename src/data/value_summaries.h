// The exact summaries of all features of a data set: what cut points are made from.
//
// Steps: zeros are counted by the borders of their runs and coded values by (feature, code); floats are gathered column
// by column, some columns at a time, and sorted. Sums are integers, so threads and blocks do not show.
// A summary of a continuous feature is three times its column, so whoever can, takes them one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/worker_team.h"
#include "data/compact_rows.h"
#include "data/cut_points.h"
#include "data/quantile_sketch.h"

namespace espalier::data {

/// (feature, summary, plan), on any thread of the team; summary and plan are borrowed for the call.
using VisitSummary = std::function<void(std::size_t, const ValueSummary&, const SketchPlan*)>;

/// Visits each feature. Where it is worth it, the summaries of long columns list only what cuts into max_bin bins
/// depend on, and how much lies between (data/partial_summary.h): then there is a plan. max_bin 0: never. Shapes as of
/// SummarizeValues.
void ForEachSummary(const CompactRows& rows, std::span<const std::int64_t> weight_units, std::size_t num_features,
                    WorkerTeam& team, const VisitSummary& visit, std::size_t max_bin = 0);

/// One summary per feature, num_features in all (at least rows.num_features). weight_units: [rows], or empty for 1
/// each.
std::vector<ValueSummary> SummarizeValues(const CompactRows& rows, std::span<const std::int64_t> weight_units,
                                          std::size_t num_features, WorkerTeam& team);

}  // namespace espalier::data
