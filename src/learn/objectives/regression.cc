// Regression with one margin per row: squared, squared log and pseudo-Huber errors; gamma, Tweedie and Poisson
// deviances with the exponential link.
#include <cmath>

#include "kernels/double_math.h"
#include "kernels/float_math.h"
#include "learn/objectives/families.h"

namespace espalier::learn {

namespace {

struct Derivatives {
    float grad;
    float hess;
};

/// `Loss` has the gradient of one row of weight 1 and says the rest about its objective.
template <typename Loss>
class Regression final : public RowObjective {
  public:
    explicit Regression(const TrainParams& params) : loss_(params), scale_pos_weight_(params.scale_pos_weight) {}
    std::string_view name() const override { return Loss::kName; }
    std::map<std::string, std::string> ModelParams() const override { return loss_.ModelParams(); }
    std::string DefaultMetric(DefaultMetrics defaults) const override { return loss_.DefaultMetric(defaults); }
    std::size_t FirstBadLabel(std::span<const float> labels) const override {
        return FirstWhereNot(labels, [](float y) { return Loss::AllowsLabel(y); });
    }
    std::string LabelRule() const override { return Loss::kLabelRule; }
    InterceptRule intercept_rule() const override {
        return Loss::kTakesMean && (!Loss::kScalesPositives || scale_pos_weight_ == 1.0F) ? InterceptRule::kLabelMean
                                                                                          : InterceptRule::kNewtonStep;
    }
    float OutputOf(float margin) const override { return Loss::kLogLink ? kernels::Exp(margin) : margin; }
    Result<void> CheckBaseScore(float base_score) const override {
        if (!Loss::kLogLink || base_score > 0) return {};
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("`base_score` must be greater than 0 for {}, not {}.", Loss::kName, base_score));
    }

  private:
    void GradientsOf(const RowsView& rows, std::size_t begin, std::size_t end, float* grad,
                     float* hess) const override {
        for (std::size_t r = begin; r < end; ++r) {
            float weight = rows.WeightOf(r);
            if (Loss::kScalesPositives && rows.labels[r] == 1.0F) weight *= scale_pos_weight_;
            const Derivatives derivatives = loss_.Of(rows.margins[r], rows.labels[r]);
            grad[r] = derivatives.grad * weight;
            hess[r] = derivatives.hess * weight;
        }
    }

    Loss loss_;
    float scale_pos_weight_;
};

using Params = std::map<std::string, std::string>;

struct SquaredError {
    static constexpr const char* kName = "reg:squarederror";
    static constexpr const char* kLabelRule = "must be a number";
    static constexpr bool kTakesMean = true;
    static constexpr bool kScalesPositives = true;
    static constexpr bool kLogLink = false;
    explicit SquaredError(const TrainParams& params) : scale_pos_weight(params.scale_pos_weight) {}
    static bool AllowsLabel(float) { return true; }
    static std::string DefaultMetric(DefaultMetrics) { return "rmse"; }
    Params ModelParams() const { return {{"scale_pos_weight", ParamText(scale_pos_weight)}}; }
    Derivatives Of(float margin, float label) const { return {margin - label, 1.0F}; }
    float scale_pos_weight;
};

struct SquaredLogError {
    static constexpr const char* kName = "reg:squaredlogerror";
    static constexpr const char* kLabelRule = "must be greater than -1 for rmsle so that log(label + 1) can be valid";
    static constexpr bool kTakesMean = false;
    static constexpr bool kScalesPositives = false;
    static constexpr bool kLogLink = false;
    explicit SquaredLogError(const TrainParams&) {}
    static bool AllowsLabel(float y) { return y > -1.0F; }
    static std::string DefaultMetric(DefaultMetrics) { return "rmsle"; }
    static Params ModelParams() { return {}; }
    Derivatives Of(float margin, float label) const {
        constexpr float kHessianMin = 1e-6F;
        const float m = std::max(margin, -1.0F + 1e-6F);
        const auto log_m = static_cast<float>(kernels::Log1p(static_cast<double>(m)));
        const auto log_y = static_cast<float>(kernels::Log1p(static_cast<double>(label)));
        const double base = static_cast<double>(m + 1.0F);
        const auto hess = static_cast<float>(static_cast<double>(-log_m + log_y + 1.0F) / (base * base));
        return {(log_m - log_y) / (m + 1.0F), std::max(hess, kHessianMin)};
    }
};

struct PseudoHuber {
    static constexpr const char* kName = "reg:pseudohubererror";
    static constexpr const char* kLabelRule = "must be a number";
    static constexpr bool kTakesMean = false;
    static constexpr bool kScalesPositives = false;
    static constexpr bool kLogLink = false;
    explicit PseudoHuber(const TrainParams&) {}
    static bool AllowsLabel(float) { return true; }
    static std::string DefaultMetric(DefaultMetrics) { return "mphe"; }
    static Params ModelParams() { return {{"huber_slope", "1"}}; }
    /// The slope is 1: the images take no other.
    Derivatives Of(float margin, float label) const {
        const float z = margin - label;
        const float root = std::sqrt(1.0F + z * z);
        return {z / root, 1.0F / ((1.0F + z * z) * root)};
    }
};

struct Gamma {
    static constexpr const char* kName = "reg:gamma";
    static constexpr const char* kLabelRule = "must be positive for gamma regression";
    static constexpr bool kTakesMean = true;
    static constexpr bool kScalesPositives = true;
    static constexpr bool kLogLink = true;
    explicit Gamma(const TrainParams& params) : scale_pos_weight(params.scale_pos_weight) {}
    static bool AllowsLabel(float y) { return y > 0; }
    static std::string DefaultMetric(DefaultMetrics defaults) {
        return defaults >= DefaultMetrics::kFrom2_0 ? "gamma-deviance" : "gamma-nloglik";
    }
    Params ModelParams() const { return {{"scale_pos_weight", ParamText(scale_pos_weight)}}; }
    Derivatives Of(float margin, float label) const {
        const float ratio = label / kernels::Exp(margin);
        return {1.0F - ratio, ratio};
    }
    float scale_pos_weight;
};

struct Tweedie {
    static constexpr const char* kName = "reg:tweedie";
    static constexpr const char* kLabelRule = "must be non-negative for Tweedie regression";
    static constexpr bool kTakesMean = true;
    static constexpr bool kScalesPositives = false;
    static constexpr bool kLogLink = true;
    explicit Tweedie(const TrainParams& params) : rho(params.tweedie_variance_power) {}
    static bool AllowsLabel(float y) { return y >= 0; }
    std::string DefaultMetric(DefaultMetrics) const { return fmt::format("tweedie-nloglik@{:g}", rho); }
    Params ModelParams() const { return {{"tweedie_variance_power", ParamText(rho)}}; }
    Derivatives Of(float margin, float label) const {
        const float low = kernels::Exp((1.0F - rho) * margin);
        const float high = kernels::Exp((2.0F - rho) * margin);
        return {-label * low + high, -label * (1.0F - rho) * low + (2.0F - rho) * high};
    }
    float rho;
};

struct Poisson {
    static constexpr const char* kName = "count:poisson";
    static constexpr const char* kLabelRule = "must be non-negative for Poisson regression";
    static constexpr bool kTakesMean = true;
    static constexpr bool kScalesPositives = false;
    static constexpr bool kLogLink = true;
    explicit Poisson(const TrainParams& params) : max_delta_step(params.max_delta_step) {}
    static bool AllowsLabel(float y) { return y >= 0; }
    static std::string DefaultMetric(DefaultMetrics) { return "poisson-nloglik"; }
    Params ModelParams() const { return {{"max_delta_step", ParamText(max_delta_step)}}; }
    /// The step stands in the hessian too, so that no leaf can take a longer one.
    Derivatives Of(float margin, float label) const {
        return {kernels::Exp(margin) - label, kernels::Exp(margin + max_delta_step)};
    }
    float max_delta_step;
};

}  // namespace

std::unique_ptr<Objective> MakeSquaredError(const TrainParams& params) {
    return std::make_unique<Regression<SquaredError>>(params);
}
std::unique_ptr<Objective> MakeSquaredLogError(const TrainParams& params) {
    return std::make_unique<Regression<SquaredLogError>>(params);
}
std::unique_ptr<Objective> MakePseudoHuber(const TrainParams& params) {
    return std::make_unique<Regression<PseudoHuber>>(params);
}
std::unique_ptr<Objective> MakeGamma(const TrainParams& params) {
    return std::make_unique<Regression<Gamma>>(params);
}
std::unique_ptr<Objective> MakeTweedie(const TrainParams& params) {
    return std::make_unique<Regression<Tweedie>>(params);
}
std::unique_ptr<Objective> MakePoisson(const TrainParams& params) {
    return std::make_unique<Regression<Poisson>>(params);
}

}  // namespace espalier::learn
