// merror and mlogloss: means over rows of what a row's class margins say of its label.
#include <algorithm>
#include <array>

#include "kernels/array_math.h"
#include "learn/metrics/families.h"

namespace espalier::learn {

namespace {

class MultiError final : public MeanMetric {
  public:
    explicit MultiError(int num_class) : MeanMetric("merror"), num_class_(static_cast<std::size_t>(num_class)) {}

  private:
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        for (std::size_t r = begin; r < end; ++r) {
            std::size_t best = 0;
            for (std::size_t k = 1; k < num_class_; ++k) {
                if (rows.margins[k * rows.num_rows + r] > rows.margins[best * rows.num_rows + r]) best = k;
            }
            losses[r] = best == static_cast<std::size_t>(rows.labels[r]) ? 0.0 : static_cast<double>(rows.WeightOf(r));
        }
    }

    std::size_t num_class_;
};

class MultiLogLoss final : public MeanMetric {
  public:
    explicit MultiLogLoss(int num_class) : MeanMetric("mlogloss"), num_class_(static_cast<std::size_t>(num_class)) {}

  private:
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        for (std::size_t first = begin; first < end; first += kStripRows) {
            StripLosses(rows, first, std::min(kStripRows, end - first), losses);
        }
    }

    static constexpr std::size_t kStripRows = 512;

    void StripLosses(const RowsView& rows, std::size_t first, std::size_t size, double* losses) const {
        constexpr float kProbabilityMin = 1e-16F;
        std::array<float, kStripRows> highest;
        std::array<float, kStripRows> exps;
        std::array<float, kStripRows> of_label{};
        std::array<double, kStripRows> sums{};
        const float* labels = rows.labels + first;
        std::copy_n(rows.margins + first, size, highest.begin());
        for (std::size_t k = 1; k < num_class_; ++k) {
            const float* margins = rows.margins + k * rows.num_rows + first;
            for (std::size_t i = 0; i < size; ++i) highest[i] = std::max(highest[i], margins[i]);
        }
        for (std::size_t k = 0; k < num_class_; ++k) {
            const float* margins = rows.margins + k * rows.num_rows + first;
            for (std::size_t i = 0; i < size; ++i) exps[i] = margins[i] - highest[i];
            kernels::ExpOfEach(exps.data(), size, exps.data());
            const auto label = static_cast<float>(k);
            for (std::size_t i = 0; i < size; ++i) {
                of_label[i] = labels[i] == label ? exps[i] : of_label[i];
                sums[i] += static_cast<double>(exps[i]);
            }
        }
        for (std::size_t i = 0; i < size; ++i) {
            of_label[i] = std::max(of_label[i] / static_cast<float>(sums[i]), kProbabilityMin);
        }
        kernels::LogOfEach(of_label.data(), size, of_label.data());
        for (std::size_t i = 0; i < size; ++i) {
            losses[first + i] = static_cast<double>(-of_label[i] * rows.WeightOf(first + i));
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
