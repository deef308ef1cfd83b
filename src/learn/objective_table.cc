#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/float_math.h"
#include "learn/objective.h"
#include "model/links.h"

namespace espalier::learn {

namespace {

// xgboost keeps hessians above 0 so that a leaf's weight is finite.
constexpr float kHessianMin = 1e-16F;

class SquaredError final : public Objective {
  public:
    explicit SquaredError(float scale_pos_weight) : scale_pos_weight_(scale_pos_weight) {}
    std::string_view name() const override { return "reg:squarederror"; }
    std::map<std::string, std::string> ModelParams() const override {
        return {{"scale_pos_weight", fmt::format("{}", scale_pos_weight_)}};
    }
    std::string_view DefaultMetric(bool) const override { return "rmse"; }
    std::size_t FirstBadLabel(std::span<const float> labels) const override { return labels.size(); }
    std::string LabelRule() const override { return "must be a number"; }
    void Gradients(const RowsView& rows, std::size_t begin, std::size_t end, float* grad, float* hess) const override {
        for (std::size_t r = begin; r < end; ++r) {
            float weight = rows.weights != nullptr ? rows.weights[r] : 1.0F;
            if (rows.labels[r] == 1.0F) weight *= scale_pos_weight_;
            grad[r] = (rows.margins[r] - rows.labels[r]) * weight;
            hess[r] = weight;
        }
    }
    bool InterceptIsLabelMean() const override { return scale_pos_weight_ == 1.0F; }
    float OutputOf(float margin) const override { return margin; }
    Result<void> CheckBaseScore(float) const override { return {}; }

  private:
    float scale_pos_weight_;
};

class Logistic final : public Objective {
  public:
    Logistic(std::string_view name, float scale_pos_weight) : name_(name), scale_pos_weight_(scale_pos_weight) {}
    std::string_view name() const override { return name_; }
    std::map<std::string, std::string> ModelParams() const override {
        return {{"scale_pos_weight", fmt::format("{}", scale_pos_weight_)}};
    }
    std::string_view DefaultMetric(bool modern) const override {
        if (name_ == "reg:logistic") return "rmse";
        return modern ? "logloss" : "error";
    }
    std::size_t FirstBadLabel(std::span<const float> labels) const override {
        const auto bad = std::find_if(labels.begin(), labels.end(), [](float y) { return !(y >= 0 && y <= 1); });
        return static_cast<std::size_t>(bad - labels.begin());
    }
    std::string LabelRule() const override { return "must be in [0,1] for logistic regression"; }
    void Gradients(const RowsView& rows, std::size_t begin, std::size_t end, float* grad, float* hess) const override {
        for (std::size_t r = begin; r < end; ++r) {
            const float p = model::Sigmoid(rows.margins[r]);
            float weight = rows.weights != nullptr ? rows.weights[r] : 1.0F;
            if (rows.labels[r] == 1.0F) weight *= scale_pos_weight_;
            grad[r] = (p - rows.labels[r]) * weight;
            hess[r] = std::max(p * (1.0F - p), kHessianMin) * weight;
        }
    }
    bool InterceptIsLabelMean() const override { return scale_pos_weight_ == 1.0F; }
    float OutputOf(float margin) const override { return model::Sigmoid(margin); }
    Result<void> CheckBaseScore(float base_score) const override {
        if (base_score > 0 && base_score < 1) return {};
        return Error(ErrorCode::kInvalidArgument, "base_score must be in (0,1) for the logistic loss.");
    }

  private:
    std::string name_;
    float scale_pos_weight_;
};

class Softmax final : public Objective {
  public:
    Softmax(std::string_view name, int num_class) : name_(name), num_class_(num_class) {}
    std::string_view name() const override { return name_; }
    std::map<std::string, std::string> ModelParams() const override {
        return {{"num_class", fmt::format("{}", num_class_)}};
    }
    std::string_view DefaultMetric(bool modern) const override { return modern ? "mlogloss" : "merror"; }
    std::size_t FirstBadLabel(std::span<const float> labels) const override {
        const auto limit = static_cast<float>(num_class_);
        const auto bad = std::find_if(labels.begin(), labels.end(),
                                      [&](float y) { return !(y >= 0 && y < limit && std::floor(y) == y); });
        return static_cast<std::size_t>(bad - labels.begin());
    }
    std::string LabelRule() const override {
        return fmt::format("must be in [0, num_class) for multi-class classification: a whole number from 0 to {}",
                           num_class_ - 1);
    }
    void Gradients(const RowsView& rows, std::size_t begin, std::size_t end, float* grad, float* hess) const override {
        const auto num_class = static_cast<std::size_t>(num_class_);
        for (std::size_t r = begin; r < end; ++r) {
            // Stock starts the maximum at the smallest positive float, not at the first margin.
            float highest = std::numeric_limits<float>::min();
            for (std::size_t k = 0; k < num_class; ++k)
                highest = std::max(highest, rows.margins[k * rows.num_rows + r]);
            double sum = 0;
            for (std::size_t k = 0; k < num_class; ++k) {
                const float e = kernels::Exp(rows.margins[k * rows.num_rows + r] - highest);
                grad[k * rows.num_rows + r] = e;
                sum += e;
            }
            const auto total = static_cast<float>(sum);
            const float weight = rows.weights != nullptr ? rows.weights[r] : 1.0F;
            const auto label = static_cast<std::size_t>(rows.labels[r]);
            for (std::size_t k = 0; k < num_class; ++k) {
                const std::size_t at = k * rows.num_rows + r;
                const float p = grad[at] / total;
                hess[at] = std::max(2.0F * p * (1.0F - p) * weight, kHessianMin);
                grad[at] = (k == label ? p - 1.0F : p) * weight;
            }
        }
    }
    bool InterceptIsLabelMean() const override { return false; }
    float OutputOf(float margin) const override { return margin; }
    Result<void> CheckBaseScore(float) const override { return {}; }

  private:
    std::string name_;
    int num_class_;
};

}  // namespace

std::vector<std::string_view> TrainableObjectives() {
    return {"binary:logistic", "multi:softmax", "multi:softprob", "reg:linear", "reg:logistic", "reg:squarederror"};
}

Result<std::unique_ptr<Objective>> MakeObjective(const TrainParams& params) {
    const std::string& name = params.objective;
    std::unique_ptr<Objective> objective;
    if (name == "reg:squarederror" || name == "reg:linear") {
        objective = std::make_unique<SquaredError>(params.scale_pos_weight);
    } else if (name == "binary:logistic" || name == "reg:logistic") {
        objective = std::make_unique<Logistic>(name, params.scale_pos_weight);
    } else if (name == "multi:softmax" || name == "multi:softprob") {
        objective = std::make_unique<Softmax>(name, params.num_class);
    } else {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("objective '{}' is not implemented by this build yet. Use one of: {}.", name,
                                 fmt::join(TrainableObjectives(), ", ")));
    }
    return objective;
}

}  // namespace espalier::learn
