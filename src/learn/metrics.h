// Metrics of one data set over all ranks.
//
// Families, one file each in learn/metrics: means of a loss per row (elementwise, multiclass), curves (auc, aucpr),
// ranking (ndcg, map, pre), survival, and the scores that the images compute beside the engine (scores); the table of
// names is metric_table.cc. Sums are exact (learn/exact_sum.h) or run in one order on every rank, so a metric is the
// same number for any number of threads and ranks. Source: contracts/xgboost.md 3.2, 4.9; xgboost src/metric.
// Confined to the trainer's thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "learn/objective.h"

namespace espalier::learn {

/// One metric of one data set. Keeps what depends on the labels and weights alone, so a metric sees one data set only.
class Metric {
  public:
    virtual ~Metric() = default;
    /// As the log line has it: "error", "error@0.3".
    const std::string& name() const { return name_; }
    virtual bool maximize() const { return false; }

    /// nan when the rows do not define it (no row of weight, one class only, …). kInvalidArgument when the labels do
    /// not fit the metric. Every rank calls it.
    virtual Result<double> Evaluate(const RowsView& rows, WorkerTeam& team, collective::Comm& comm) = 0;

  protected:
    explicit Metric(std::string name) : name_(std::move(name)) {}

  private:
    std::string name_;
};

/// kInvalidArgument for a metric this build does not compute, or that does not fit the objective; the message says
/// which it does.
Result<std::unique_ptr<Metric>> MakeMetric(std::string_view name, const TrainParams& params);

}  // namespace espalier::learn
