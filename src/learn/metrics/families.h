// The inner parts of learn/metric_table.cc: makers of metrics, grouped as the files are, and the mean of a loss, which
// most metrics are.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/array_math.h"
#include "kernels/float_math.h"
#include "learn/metrics.h"
#include "model/links.h"
#include "model/objective_table.h"

namespace espalier::learn {

/// A metric's name as the user wrote it, in parts: "ndcg@10-" is base "ndcg", argument "10", minus.
struct MetricName {
    std::string full;
    std::string base;
    std::optional<std::string> argument;
    bool minus = false;
};

using MetricResult = Result<std::unique_ptr<Metric>>;
using MetricMaker = MetricResult (*)(const MetricName& name, const TrainParams& params);

// elementwise.cc
MetricResult MakeElementwise(const MetricName& name, const TrainParams& params);
MetricResult MakeError(const MetricName& name, const TrainParams& params);
MetricResult MakeTweedieLogLik(const MetricName& name, const TrainParams& params);
MetricResult MakeQuantileLoss(const MetricName& name, const TrainParams& params);
// multiclass.cc
MetricResult MakeMulticlass(const MetricName& name, const TrainParams& params);
// curves.cc
MetricResult MakeCurve(const MetricName& name, const TrainParams& params);
// ranking.cc
MetricResult MakeRanking(const MetricName& name, const TrainParams& params);
// survival.cc
MetricResult MakeSurvival(const MetricName& name, const TrainParams& params);
// scores.cc
MetricResult MakeScore(const MetricName& name, const TrainParams& params);

/// What metrics compare with labels: the objective's output, except that survival:aft is evaluated on margins and
/// multi:softmax on probabilities.
inline model::Link EvaluationLink(const TrainParams& params) {
    if (params.objective == "survival:aft") return model::Link::kIdentity;
    const model::ObjectiveInfo* info = model::FindObjective(params.objective);
    return info != nullptr ? info->link : model::Link::kIdentity;
}

/// Margins through a link of one output.
inline void OutputsOf(model::Link link, const float* margins, std::size_t size, float* outputs) {
    switch (link) {
        case model::Link::kSigmoid:
            return model::SigmoidOfEach(margins, size, outputs);
        case model::Link::kExp:
            return kernels::ExpOfEach(margins, size, outputs);
        case model::Link::kHinge:
            for (std::size_t i = 0; i < size; ++i) outputs[i] = margins[i] > 0 ? 1.0F : 0.0F;
            return;
        default:
            std::copy_n(margins, size, outputs);
    }
}

/// The weighted mean of a loss per row.
class MeanMetric : public Metric {
  public:
    Result<double> Evaluate(const RowsView& rows, WorkerTeam& team, collective::Comm& comm) final;

  protected:
    using Metric::Metric;

  private:
    /// Weighted loss of each row of [begin, end) into losses[begin, end).
    virtual void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const = 0;
    /// From the weighted mean of the losses.
    virtual double Finish(double mean) const { return mean; }

    std::vector<double> losses_;
    std::optional<double> total_weight_;
};

Error DoesNotFit(std::string_view metric, const TrainParams& params, std::string_view use);

}  // namespace espalier::learn
