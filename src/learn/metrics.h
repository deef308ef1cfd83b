// Metrics of one data set over all ranks: weighted means of a loss per row, and auc.
//
// Sums are exact (learn/exact_sum.h), so a metric is the same number for any number of threads and ranks.
// Implemented: rmse, mae, error, error@t, logloss, merror, mlogloss, auc (two classes). Source:
// contracts/xgboost.md 4.9. Thread-compatible.
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

class Metric {
  public:
    virtual ~Metric() = default;
    /// As the log line has it: "error", "error@0.3".
    const std::string& name() const { return name_; }
    virtual bool maximize() const { return false; }

    /// Weighted loss of each row of [begin, end) into losses[begin, end); unused by auc.
    virtual void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const = 0;
    /// From the weighted mean of the losses.
    virtual double Finish(double mean) const { return mean; }
    virtual bool is_auc() const { return false; }

  protected:
    explicit Metric(std::string name) : name_(std::move(name)) {}

  private:
    std::string name_;
};

/// kInvalidArgument for a metric this build does not compute, or that does not fit the objective; the message says
/// which it does.
Result<std::unique_ptr<Metric>> MakeMetric(std::string_view name, const TrainParams& params);

/// Evaluates metrics on one data set, again and again, without allocating after the first time.
class MetricEvaluator {
  public:
    explicit MetricEvaluator(std::vector<std::unique_ptr<Metric>> metrics) : metrics_(std::move(metrics)) {}

    std::span<const std::unique_ptr<Metric>> metrics() const { return metrics_; }

    /// One value per metric; nan when no rank has a row of weight. Every rank calls it. total_rows: of all ranks.
    Result<std::vector<double>> Evaluate(const RowsView& rows, std::uint64_t total_rows, WorkerTeam& team,
                                         collective::Comm& comm);

  private:
    std::vector<std::unique_ptr<Metric>> metrics_;
    std::vector<std::vector<double>> losses_;  ///< [metrics + 1][rows]; the last is the weights
};

}  // namespace espalier::learn
