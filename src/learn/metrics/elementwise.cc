// Means of a loss of one output and one label, computed in float as xgboost does and added up exactly.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/array_math.h"
#include "kernels/double_math.h"
#include "learn/exact_sum.h"
#include "learn/metrics/families.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 4096;

float LogOneAnd(float x) {
    return static_cast<float>(kernels::Log1p(static_cast<double>(x)));
}

struct Rmse {
    float operator()(float p, float y) const { return (y - p) * (y - p); }
    static double Finish(double mean) { return std::sqrt(mean); }
};

struct Rmsle {
    float operator()(float p, float y) const {
        const float difference = LogOneAnd(y) - LogOneAnd(p);
        return difference * difference;
    }
    static double Finish(double mean) { return std::sqrt(mean); }
};

struct Mae {
    float operator()(float p, float y) const { return std::fabs(y - p); }
    static double Finish(double mean) { return mean; }
};

struct Mape {
    float operator()(float p, float y) const { return std::fabs((y - p) / y); }
    static double Finish(double mean) { return mean; }
};

/// Pseudo-Huber with slope 1.
struct Mphe {
    float operator()(float p, float y) const { return std::sqrt(1.0F + (y - p) * (y - p)) - 1.0F; }
    static double Finish(double mean) { return mean; }
};

struct ErrorAt {
    float threshold = 0.5F;
    float operator()(float p, float y) const {
        // Bits under a mask: of a selection of floats the compiler makes a branch, which foresees every other row.
        const std::uint32_t above = p > threshold ? ~std::uint32_t{0} : 0;
        const std::uint32_t loss =
            (std::bit_cast<std::uint32_t>(1.0F - y) & above) | (std::bit_cast<std::uint32_t>(y) & ~above);
        return std::bit_cast<float>(loss);
    }
    static double Finish(double mean) { return mean; }
};

struct PoissonLogLik {
    float operator()(float p, float y) const {
        const float mean = std::max(p, 1e-16F);
        const auto log_factorial = static_cast<float>(kernels::LogGamma(static_cast<double>(y + 1.0F)));
        return log_factorial + mean - kernels::Log(mean) * y;
    }
    static double Finish(double mean) { return mean; }
};

struct GammaDeviance {
    float operator()(float p, float y) const {
        constexpr float kFloor = 1e-6F;
        const float mean = p + kFloor;
        const float label = y + kFloor;
        return kernels::Log(mean / label) + label / mean - 1.0F;
    }
    static double Finish(double mean) { return 2 * mean; }
};

struct GammaLogLik {
    float operator()(float p, float y) const {
        const float theta = -1.0F / std::max(p, 1e-6F);
        return -(y * theta + kernels::Log(-theta));
    }
    static double Finish(double mean) { return mean; }
};

struct TweedieLogLik {
    float rho = 1.5F;
    float operator()(float p, float y) const {
        const float log_p = kernels::Log(p);
        return -(y * kernels::Exp((1.0F - rho) * log_p) / (1.0F - rho)) +
               kernels::Exp((2.0F - rho) * log_p) / (2.0F - rho);
    }
    static double Finish(double mean) { return mean; }
};

template <typename Loss>
class Elementwise final : public MeanMetric {
  public:
    Elementwise(std::string name, Loss loss, model::Link link)
        : MeanMetric(std::move(name)), loss_(loss), link_(link) {}

  private:
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        std::array<float, kBlockRows> outputs;
        OutputsOf(link_, rows.margins + begin, end - begin, outputs.data());
        for (std::size_t r = begin; r < end; ++r) {
            losses[r] = static_cast<double>(loss_(outputs[r - begin], rows.labels[r]) * rows.WeightOf(r));
        }
    }
    double Finish(double mean) const override { return Loss::Finish(mean); }

    Loss loss_;
    model::Link link_;
};

template <typename Loss>
std::unique_ptr<Metric> Make(std::string name, Loss loss, const TrainParams& params) {
    return std::make_unique<Elementwise<Loss>>(std::move(name), loss, EvaluationLink(params));
}

/// -y log p - (1 - y) log (1 - p). A label of 0 or 1, as nearly all are, needs one of the two logarithms.
class LogLoss final : public MeanMetric {
  public:
    LogLoss(std::string name, model::Link link) : MeanMetric(std::move(name)), link_(link) {}

  private:
    static constexpr std::size_t kStripRows = 512;
    static constexpr float kProbabilityMin = 1e-16F;

    static float TimesLog(float x, float p) { return x == 0 ? 0.0F : x * kernels::Log(std::max(p, kProbabilityMin)); }

    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        std::array<float, kStripRows> outputs;
        std::array<float, kStripRows> logs;
        for (std::size_t first = begin; first < end; first += kStripRows) {
            const std::size_t size = std::min(kStripRows, end - first);
            const float* labels = rows.labels + first;
            OutputsOf(link_, rows.margins + first, size, outputs.data());
            for (std::size_t i = 0; i < size; ++i) {
                logs[i] = std::max(labels[i] == 0 ? 1.0F - outputs[i] : outputs[i], kProbabilityMin);
            }
            kernels::LogOfEach(logs.data(), size, logs.data());
            bool all_classes = true;
            for (std::size_t i = 0; i < size; ++i) {
                all_classes = all_classes & ((labels[i] == 0) | (labels[i] == 1));
                losses[first + i] = static_cast<double>(-logs[i] * rows.WeightOf(first + i));
            }
            if (!all_classes) FractionalLosses(rows, first, size, outputs.data(), losses);
        }
    }

    static void FractionalLosses(const RowsView& rows, std::size_t first, std::size_t size, const float* outputs,
                                 double* losses) {
        for (std::size_t i = 0; i < size; ++i) {
            const float label = rows.labels[first + i];
            if (label == 0 || label == 1) continue;
            const float loss = TimesLog(-label, outputs[i]) + TimesLog(-(1.0F - label), 1.0F - outputs[i]);
            losses[first + i] = static_cast<double>(loss * rows.WeightOf(first + i));
        }
    }

    model::Link link_;
};

/// The pinball loss, mean over the quantiles too.
class QuantileLoss final : public MeanMetric {
  public:
    explicit QuantileLoss(std::vector<float> alphas) : MeanMetric("quantile"), alphas_(std::move(alphas)) {}

  private:
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        for (std::size_t r = begin; r < end; ++r) {
            losses[r] = 0;
            for (std::size_t k = 0; k < alphas_.size(); ++k) {
                const float error = rows.labels[r] - rows.margins[k * rows.num_rows + r];
                const float loss = error >= 0 ? alphas_[k] * error : -(1.0F - alphas_[k]) * error;
                losses[r] += static_cast<double>(loss * rows.WeightOf(r));
            }
        }
    }
    double Finish(double mean) const override { return mean / static_cast<double>(alphas_.size()); }

    std::vector<float> alphas_;
};

Result<float> FloatArgument(const MetricName& name) {
    float value = 0;
    const std::string& text = *name.argument;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("Threshold value 't' in '{}@t' expects float input, not '{}'.", name.base, text));
}

Result<void> CheckOneOutput(const MetricName& name, const TrainParams& params) {
    if (params.num_class > 1) return DoesNotFit(name.full, params, "merror or mlogloss");
    if (params.num_groups() > 1) return DoesNotFit(name.full, params, "quantile");
    return {};
}

}  // namespace

Result<double> MeanMetric::Evaluate(const RowsView& rows, WorkerTeam& team, collective::Comm& comm) {
    losses_.resize(rows.num_rows);
    team.ForBlocks(rows.num_rows, kBlockRows,
                   [&](std::size_t begin, std::size_t end, int) { Losses(rows, begin, end, losses_.data()); });
    std::vector<std::span<const double>> series = {losses_};
    std::vector<double> weights;
    if (!total_weight_.has_value()) {
        weights.resize(rows.num_rows);
        for (std::size_t r = 0; r < rows.num_rows; ++r) weights[r] = static_cast<double>(rows.WeightOf(r));
        series.emplace_back(weights);
    }
    const std::vector<double> sums = TRY(ExactSums(series, rows.total_rows, team, comm));
    if (!total_weight_.has_value()) total_weight_ = sums[1];
    return *total_weight_ > 0 ? Finish(sums[0] / *total_weight_) : std::numeric_limits<double>::quiet_NaN();
}

Error DoesNotFit(std::string_view metric, const TrainParams& params, std::string_view use) {
    const char* const oldest = params.version == AlgorithmVersion::kLegacy
                                   ? "Given label size mismatched with prediction size. Please ensure the first column "
                                     "is label and the correct metric is applied. "
                                   : "";
    return Error(ErrorCode::kInvalidArgument, fmt::format("{}eval_metric '{}' does not fit objective '{}'. Use {}.",
                                                          oldest, metric, params.objective, use));
}

MetricResult MakeElementwise(const MetricName& name, const TrainParams& params) {
    TRY(CheckOneOutput(name, params));
    if (name.base == "rmse") return Make(name.full, Rmse{}, params);
    if (name.base == "rmsle") return Make(name.full, Rmsle{}, params);
    if (name.base == "mae") return Make(name.full, Mae{}, params);
    if (name.base == "mape") return Make(name.full, Mape{}, params);
    if (name.base == "mphe") return Make(name.full, Mphe{}, params);
    if (name.base == "poisson-nloglik") return Make(name.full, PoissonLogLik{}, params);
    if (name.base == "gamma-deviance") return Make(name.full, GammaDeviance{}, params);
    if (name.base == "gamma-nloglik") return Make(name.full, GammaLogLik{}, params);
    const bool two_classes = params.objective.starts_with("binary:") || params.objective == "reg:logistic";
    if (!two_classes) return DoesNotFit(name.full, params, "rmse or mae");
    return std::unique_ptr<Metric>(std::make_unique<LogLoss>(name.full, EvaluationLink(params)));
}

MetricResult MakeError(const MetricName& name, const TrainParams& params) {
    TRY(CheckOneOutput(name, params));
    ErrorAt loss;
    if (name.argument.has_value()) loss.threshold = TRY(FloatArgument(name));
    return Make(loss.threshold == 0.5F ? std::string("error") : fmt::format("error@{:g}", loss.threshold), loss,
                params);
}

MetricResult MakeTweedieLogLik(const MetricName& name, const TrainParams& params) {
    TRY(CheckOneOutput(name, params));
    // The images' lists have the name without its power only, which stock refuses: take the objective's.
    if (!name.argument.has_value()) return Make(name.full, TweedieLogLik{params.tweedie_variance_power}, params);
    const float rho = TRY(FloatArgument(name));
    if (!(rho >= 1 && rho < 2)) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("tweedie variance power must be in interval [1, 2), not {}", rho));
    }
    return Make(fmt::format("tweedie-nloglik@{:g}", rho), TweedieLogLik{rho}, params);
}

MetricResult MakeQuantileLoss(const MetricName& name, const TrainParams& params) {
    if (params.quantile_alphas.empty()) return DoesNotFit(name.full, params, "it with objective reg:quantileerror");
    return std::unique_ptr<Metric>(std::make_unique<QuantileLoss>(params.quantile_alphas));
}

}  // namespace espalier::learn
