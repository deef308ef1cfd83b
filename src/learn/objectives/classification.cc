// Classification: logistic loss in its three outputs, hinge, softmax.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/array_math.h"
#include "learn/objectives/families.h"
#include "model/links.h"

namespace espalier::learn {

namespace {

// xgboost keeps hessians above 0 so that a leaf's weight is finite.
constexpr float kHessianMin = 1e-16F;

/// reg:logistic, binary:logistic and binary:logitraw: one loss; the last predicts margins.
class Logistic final : public RowObjective {
  public:
    explicit Logistic(const TrainParams& params)
        : name_(params.objective), raw_(name_ == "binary:logitraw"), scale_pos_weight_(params.scale_pos_weight) {}
    std::string_view name() const override { return name_; }
    std::map<std::string, std::string> ModelParams() const override {
        return {{"scale_pos_weight", ParamText(scale_pos_weight_)}};
    }
    std::string DefaultMetric(DefaultMetrics defaults) const override {
        if (name_ == "reg:logistic") return "rmse";
        if (raw_) return defaults >= DefaultMetrics::kUpTo1_7 ? "logloss" : "auc";
        return defaults >= DefaultMetrics::kUpTo1_5 ? "logloss" : "error";
    }
    std::size_t FirstBadLabel(std::span<const float> labels) const override {
        return FirstWhereNot(labels, [](float y) { return y >= 0 && y <= 1; });
    }
    std::string LabelRule() const override { return "must be in [0,1] for logistic regression"; }
    InterceptRule intercept_rule() const override {
        return scale_pos_weight_ == 1.0F ? InterceptRule::kLabelMean : InterceptRule::kNewtonStep;
    }
    float OutputOf(float margin) const override { return raw_ ? margin : model::Sigmoid(margin); }
    Result<void> CheckBaseScore(float base_score) const override {
        if (raw_ || (base_score > 0 && base_score < 1)) return {};
        return Error(ErrorCode::kInvalidArgument, "base_score must be in (0,1) for the logistic loss.");
    }

  private:
    void GradientsOf(const RowsView& rows, std::size_t begin, std::size_t end, float* grad,
                     float* hess) const override {
        model::SigmoidOfEach(rows.margins + begin, end - begin, grad + begin);
        const float scale = scale_pos_weight_;
        for (std::size_t r = begin; r < end; ++r) {
            const float p = grad[r];
            // A product in any case: labels cannot be predicted by a branch.
            const float weight = rows.WeightOf(r) * (rows.labels[r] == 1.0F ? scale : 1.0F);
            grad[r] = (p - rows.labels[r]) * weight;
            hess[r] = std::max(p * (1.0F - p), kHessianMin) * weight;
        }
    }

    std::string name_;
    bool raw_;
    float scale_pos_weight_;
};

class Hinge final : public RowObjective {
  public:
    std::string_view name() const override { return "binary:hinge"; }
    std::string DefaultMetric(DefaultMetrics) const override { return "error"; }
    std::size_t FirstBadLabel(std::span<const float> labels) const override {
        return FirstWhereNot(labels, [](float y) { return y >= 0 && y <= 1; });
    }
    std::string LabelRule() const override { return "must be in [0,1] for the hinge loss"; }
    InterceptRule intercept_rule() const override { return InterceptRule::kNewtonStep; }
    float OutputOf(float margin) const override { return margin > 0 ? 1.0F : 0.0F; }

  private:
    void GradientsOf(const RowsView& rows, std::size_t begin, std::size_t end, float* grad,
                     float* hess) const override {
        for (std::size_t r = begin; r < end; ++r) {
            const double sign = static_cast<double>(rows.labels[r]) * 2.0 - 1.0;
            const float weight = rows.WeightOf(r);
            const bool inside = static_cast<double>(rows.margins[r]) * sign < 1.0;
            grad[r] = inside ? static_cast<float>(-sign * static_cast<double>(weight)) : 0.0F;
            hess[r] = inside ? weight : std::numeric_limits<float>::min();
        }
    }
};

class Softmax final : public RowObjective {
  public:
    explicit Softmax(const TrainParams& params) : name_(params.objective), num_class_(params.num_class) {}
    std::string_view name() const override { return name_; }
    std::map<std::string, std::string> ModelParams() const override {
        return {{"num_class", fmt::format("{}", num_class_)}};
    }
    std::string DefaultMetric(DefaultMetrics defaults) const override {
        return defaults >= DefaultMetrics::kUpTo1_5 ? "mlogloss" : "merror";
    }
    std::size_t FirstBadLabel(std::span<const float> labels) const override {
        const auto limit = static_cast<float>(num_class_);
        return FirstWhereNot(labels, [&](float y) { return y >= 0 && y < limit && std::floor(y) == y; });
    }
    std::string LabelRule() const override {
        return fmt::format("must be in [0, num_class) for multi-class classification: a whole number from 0 to {}",
                           num_class_ - 1);
    }
    InterceptRule intercept_rule() const override { return InterceptRule::kClassShares; }

  private:
    void GradientsOf(const RowsView& rows, std::size_t begin, std::size_t end, float* grad,
                     float* hess) const override {
        const auto num_class = static_cast<std::size_t>(num_class_);
        const std::size_t stride = rows.num_rows;
        std::array<float, kernels::kSoftmaxRows> totals;
        for (std::size_t first = begin; first < end; first += kernels::kSoftmaxRows) {
            const std::size_t size = std::min(kernels::kSoftmaxRows, end - first);
            const float* const weights = rows.weights != nullptr ? rows.weights + first : nullptr;
            // Stock starts the maximum at the smallest positive float, not at the first margin.
            kernels::ExpsOfClasses(rows.margins + first, stride, num_class, size, std::numeric_limits<float>::min(),
                                   grad + first, stride, totals.data());
            kernels::SoftmaxGradients(rows.labels + first, weights, totals.data(), num_class, size, kHessianMin,
                                      grad + first, hess + first, stride);
        }
    }

    std::string name_;
    int num_class_;
};

}  // namespace

std::unique_ptr<Objective> MakeLogistic(const TrainParams& params) {
    return std::make_unique<Logistic>(params);
}
std::unique_ptr<Objective> MakeHinge(const TrainParams&) {
    return std::make_unique<Hinge>();
}
std::unique_ptr<Objective> MakeSoftmax(const TrainParams& params) {
    return std::make_unique<Softmax>(params);
}

}  // namespace espalier::learn
