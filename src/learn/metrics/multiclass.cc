// merror and mlogloss: means over rows of what a row's class margins say of its label.
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
        constexpr float kProbabilityMin = 1e-16F;
        for (std::size_t r = begin; r < end; ++r) {
            const float* margins = rows.margins + r;
            float highest = margins[0];
            for (std::size_t k = 1; k < num_class_; ++k) highest = std::max(highest, margins[k * rows.num_rows]);
            double sum = 0;
            float of_label = 0;
            for (std::size_t k = 0; k < num_class_; ++k) {
                const float e = kernels::Exp(margins[k * rows.num_rows] - highest);
                if (k == static_cast<std::size_t>(rows.labels[r])) of_label = e;
                sum += e;
            }
            const float p = of_label / static_cast<float>(sum);
            losses[r] = static_cast<double>(-kernels::Log(std::max(p, kProbabilityMin)) * rows.WeightOf(r));
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
