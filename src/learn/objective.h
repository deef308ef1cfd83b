// Objectives: gradients of the loss with respect to the margin, and where boosting starts.
//
// Nouns: margin (sum of leaves plus base margin), group (one output of a row before the link: one per class for
// multi:*, else one), gradient and hessian in float as xgboost computes them.
// Layout: arrays over rows and groups are group-major, [groups x rows]: value of row r in group k at k * rows + r.
// Exponentials are ours (kernels/float_math.h), so gradients are the same bits on every machine.
// Source: contracts/xgboost.md 4.1, 4.2; xgboost objective/{regression,multiclass}_obj. Thread-safe: const.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "learn/train_params.h"

namespace espalier::learn {

/// Rows of one data set as objectives and metrics see them. Views; the owner outlives the call.
struct RowsView {
    std::size_t num_rows = 0;
    const float* margins = nullptr;  ///< [groups x rows]
    const float* labels = nullptr;   ///< [rows]
    const float* weights = nullptr;  ///< [rows], or null: all 1
};

class Objective {
  public:
    virtual ~Objective() = default;

    /// Name as the model file has it (reg:linear is written reg:squarederror).
    virtual std::string_view name() const = 0;
    virtual std::map<std::string, std::string> ModelParams() const = 0;
    /// Metric when the user names none; `modern` from xgboost 1.3 on.
    virtual std::string_view DefaultMetric(bool modern) const = 0;

    /// Row index of the first label that cannot be, or `labels.size()`.
    virtual std::size_t FirstBadLabel(std::span<const float> labels) const = 0;
    /// "must be one of 0, 1, …, 9": what a label must be, for messages.
    virtual std::string LabelRule() const = 0;

    /// Gradients and hessians of rows [begin, end) into grad and hess [groups x rows].
    virtual void Gradients(const RowsView& rows, std::size_t begin, std::size_t end, float* grad,
                           float* hess) const = 0;

    /// True when the intercept is the weighted mean of the labels; otherwise it is one Newton step from margin 0.
    virtual bool InterceptIsLabelMean() const = 0;
    /// The output that a margin stands for: the link.
    virtual float OutputOf(float margin) const = 0;
    /// kInvalidArgument with xgboost's sentence when a user's base_score cannot be.
    virtual Result<void> CheckBaseScore(float base_score) const = 0;
};

/// The objective of params.objective. kInvalidArgument for a name this build does not train; the message names those it
/// does.
Result<std::unique_ptr<Objective>> MakeObjective(const TrainParams& params);

/// Names MakeObjective knows, sorted.
std::vector<std::string_view> TrainableObjectives();

}  // namespace espalier::learn
