// From values to where their bins lie, feature by feature: no more than one feature's summary a thread is ever there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/worker_team.h"
#include "data/binned_matrix.h"
#include "data/compact_rows.h"

namespace espalier::data {

/// The layout that the summaries of `rows` give (data/value_summaries.h) when these are all the rows there are and no
/// feature is categorical. weight_units: [rows] for the cuts, or empty for 1 each.
BinLayout PlanBins(const CompactRows& rows, std::span<const std::int64_t> weight_units, std::size_t num_features,
                   int max_bin, WorkerTeam& team);

}  // namespace espalier::data
