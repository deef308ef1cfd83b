// The metrics of all data sets after a round.
//
// Thread-compatible; every rank calls Evaluate.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "learn/metrics.h"
#include "learn/prepared_data.h"

namespace espalier::learn {

struct MetricValue {
    std::string data_set;
    std::string metric;
    double value = 0;
};

class Evaluation {
  public:
    /// params.eval_metrics, or the objective's default. MakeMetric's errors.
    static Result<Evaluation> Create(const TrainParams& params, const Objective& objective, std::size_t num_sets);

    /// Values of all sets, the first set's first, metrics in configured order.
    Result<std::vector<MetricValue>> Evaluate(std::span<const PreparedSet> sets, WorkerTeam& team,
                                              collective::Comm& comm);

    /// Of each data set.
    std::span<const std::unique_ptr<Metric>> metrics() const { return metrics_[0]; }

  private:
    Evaluation() = default;
    std::vector<std::vector<std::unique_ptr<Metric>>> metrics_;  ///< [data sets]
};

}  // namespace espalier::learn
