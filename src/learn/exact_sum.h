// Sums of floating values over all rows of all ranks that do not depend on threads, ranks or order: every value is
// rounded to an integer in a unit agreed from the greatest magnitude, and integers are added. Relative to the greatest
// value the unit is 2^-(60 - log2(total rows)), so nothing a float can hold is lost below a million rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"

namespace espalier::learn {

/// series[s] is this rank's values of sum s (lengths may differ, also from rank to rank). The sums over all ranks, the
/// same everywhere; NaN where a value is NaN, infinity where one is infinite. total_values: an upper bound on any
/// series' length over all ranks. Two reductions.
Result<std::vector<double>> ExactSums(std::span<const std::span<const double>> series, std::uint64_t total_values,
                                      WorkerTeam& team, collective::Comm& comm);

}  // namespace espalier::learn
