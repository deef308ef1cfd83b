// Quantiles of values spread over all ranks, found by counting: no values move between ranks, and the answer is the
// same for any number of ranks and threads.
//
// Four passes fix a value's bits, eight at a time, by histograms of the values that share the bits found so far.
// Without weights neighbours are interpolated as Hyndman and Fan's sixth definition says; with weights it is the
// smallest value whose cumulated weight reaches alpha of the total. Source: xgboost common/stats.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"

namespace espalier::learn {

/// This rank's part of one collection of values, none NaN, and the quantile wanted of the whole.
struct QuantileSample {
    std::vector<float> values;
    std::vector<float> weights;  ///< as many as values when the collections are weighted, else empty
    double alpha = 0.5;          ///< in [0, 1]
};

/// The quantile of each sample, NaN where no rank has a value. Every rank calls it with as many samples; `weighted` is
/// the same everywhere. total_values: an upper bound on the values of one sample over all ranks.
Result<std::vector<float>> ExactQuantiles(std::span<const QuantileSample> samples, bool weighted,
                                          std::uint64_t total_values, WorkerTeam& team, collective::Comm& comm);

}  // namespace espalier::learn
