// Objectives: gradients of the loss with respect to the margin, and where boosting starts.
//
// Nouns: margin (sum of leaves plus base margin), group (one output of a row before the link: one per class for
// multi:*, one per quantile for reg:quantileerror, else one), gradient and hessian in float as xgboost computes them.
// Families, one file each in learn/objectives: regression, classification, quantile, survival, ranking; the table of
// names is objective_table.cc. Exponentials are ours (kernels/float_math.h, double_math.h) and what is added up over
// rows is exact, so gradients are the same bits on every machine, for any number of threads and ranks.
// Source: contracts/xgboost.md 4.1, 4.2, 4.8; xgboost src/objective. Prepare and Gradients are called by every rank.
// Confined to the trainer's thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/algorithm_image.h"
#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "learn/rows_view.h"
#include "learn/train_params.h"

namespace espalier::learn {

/// How the intercept is estimated when the user gives none.
enum class InterceptRule {
    kLabelMean,       ///< weighted mean of the labels
    kNewtonStep,      ///< one Newton step from margin 0, through the link
    kClassShares,     ///< logarithms of the classes' shares, centred
    kLabelQuantiles,  ///< the quantile of the labels for each group
    kHalf,            ///< 0.5
};

class Objective {
  public:
    virtual ~Objective() = default;

    /// Name as the model file has it (reg:linear is written reg:squarederror).
    virtual std::string_view name() const = 0;
    virtual std::map<std::string, std::string> ModelParams() const { return {}; }
    /// Metric when the user names none.
    virtual std::string DefaultMetric(DefaultMetrics defaults) const = 0;

    /// Row index of the first label that cannot be, or `labels.size()`.
    virtual std::size_t FirstBadLabel(std::span<const float> labels) const = 0;
    /// "must be one of 0, 1, …, 9": what a label must be, for messages.
    virtual std::string LabelRule() const = 0;

    /// Looks at the training rows once, before Gradients. kInvalidArgument when they do not fit the objective.
    virtual Result<void> Prepare(const RowsView&, WorkerTeam&, collective::Comm&) { return {}; }

    /// Gradients and hessians of all rows into grad and hess [groups x rows].
    virtual Result<void> Gradients(const RowsView& rows, int round, WorkerTeam& team, collective::Comm& comm,
                                   float* grad, float* hess) const = 0;

    virtual InterceptRule intercept_rule() const = 0;
    /// The output that a margin stands for: the link.
    virtual float OutputOf(float margin) const { return margin; }
    /// kInvalidArgument with xgboost's sentence when a user's base_score cannot be.
    virtual Result<void> CheckBaseScore(float) const { return {}; }

    /// Set when leaves are replaced by this quantile of (label - margin) over the leaf's rows; for group `group`.
    virtual std::optional<double> LeafQuantile(std::size_t) const { return std::nullopt; }
    /// True when gradients depend on the order of rows among all ranks (RowsView::segments).
    virtual bool needs_row_identity() const { return false; }
    /// True when weights belong to queries, not to rows.
    virtual bool ranks_queries() const { return false; }
};

/// An objective whose gradient of a row depends on that row alone.
class RowObjective : public Objective {
  public:
    Result<void> Gradients(const RowsView& rows, int round, WorkerTeam& team, collective::Comm& comm, float* grad,
                           float* hess) const final;

  private:
    /// Of rows [begin, end).
    virtual void GradientsOf(const RowsView& rows, std::size_t begin, std::size_t end, float* grad,
                             float* hess) const = 0;
};

/// The objective of params.objective. kInvalidArgument for a name this build does not train; the message names those it
/// does.
Result<std::unique_ptr<Objective>> MakeObjective(const TrainParams& params);

/// True when a row's place among those of all ranks matters, to sampling or to the objective.
bool UsesRowIdentity(const TrainParams& params);

/// Names MakeObjective knows, sorted.
std::vector<std::string_view> TrainableObjectives();

}  // namespace espalier::learn
