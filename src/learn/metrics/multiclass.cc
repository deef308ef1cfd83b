// merror and mlogloss: means over rows of what a row's class margins say of its label.
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/array_math.h"
#include "learn/metrics/families.h"

namespace espalier::learn {

namespace {

class MultiError final : public MeanMetric {
  public:
    explicit MultiError(int num_class) : MeanMetric("merror"), num_class_(static_cast<std::size_t>(num_class)) {}

  private:
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        std::array<float, kernels::kSoftmaxRows> classes;
        for (std::size_t first = begin; first < end; first += kernels::kSoftmaxRows) {
            const std::size_t size = std::min(kernels::kSoftmaxRows, end - first);
            kernels::GreatestClasses(rows.margins + first, rows.num_rows, num_class_, size, classes.data());
            for (std::size_t i = 0; i < size; ++i) {
                const std::size_t r = first + i;
                // A product, for which rows are wrong cannot be predicted by a branch.
                const int is_wrong =
                    static_cast<std::int32_t>(classes[i]) != static_cast<std::int32_t>(rows.labels[r]) ? 1 : 0;
                losses[r] = static_cast<double>(rows.WeightOf(r)) * is_wrong;
            }
        }
    }

    std::size_t num_class_;
};

class MultiLogLoss final : public MeanMetric {
  public:
    explicit MultiLogLoss(int num_class) : MeanMetric("mlogloss"), num_class_(static_cast<std::size_t>(num_class)) {}

  private:
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        constexpr float kProbabilityMin = 1e-16F;
        std::vector<float> exps(kernels::kSoftmaxRows * num_class_);
        std::array<float, kernels::kSoftmaxRows> totals;
        std::array<float, kernels::kSoftmaxRows> logs;
        for (std::size_t first = begin; first < end; first += kernels::kSoftmaxRows) {
            const std::size_t size = std::min(kernels::kSoftmaxRows, end - first);
            kernels::ExpsOfClasses(rows.margins + first, rows.num_rows, num_class_, size,
                                   -std::numeric_limits<float>::infinity(), exps.data(), kernels::kSoftmaxRows,
                                   totals.data());
            for (std::size_t i = 0; i < size; ++i) {
                const auto label = static_cast<std::size_t>(rows.labels[first + i]);
                logs[i] = std::max(exps[label * kernels::kSoftmaxRows + i] / totals[i], kProbabilityMin);
            }
            kernels::LogOfEach(logs.data(), size, logs.data());
            for (std::size_t i = 0; i < size; ++i) {
                losses[first + i] = static_cast<double>(-logs[i] * rows.WeightOf(first + i));
            }
        }
    }

    std::size_t num_class_;
};

}  // namespace

MetricResult MakeMulticlass(const MetricName& name, const TrainParams& params) {
    if (params.num_class <= 1) {
        return DoesNotFit(name.full, params, "error or logloss for two classes, rmse for regression");
    }
    if (name.base == "merror") return std::unique_ptr<Metric>(std::make_unique<MultiError>(params.num_class));
    return std::unique_ptr<Metric>(std::make_unique<MultiLogLoss>(params.num_class));
}

}  // namespace espalier::learn
