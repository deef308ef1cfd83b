// Quantile losses: reg:absoluteerror (the median) and reg:quantileerror, one group per quantile. Trees are grown on the
// sign of the error; their leaves are then set to the quantile of what is left (learn/leaf_refit.h).
#include "learn/objectives/families.h"

namespace espalier::learn {

namespace {

class QuantileError final : public RowObjective {
  public:
    explicit QuantileError(const TrainParams& params)
        : median_only_(params.objective == "reg:absoluteerror"),
          alphas_(median_only_ ? std::vector<float>{0.5F} : params.quantile_alphas) {}
    std::string_view name() const override { return median_only_ ? "reg:absoluteerror" : "reg:quantileerror"; }
    std::map<std::string, std::string> ModelParams() const override {
        if (median_only_) return {};
        std::string list;
        for (const float alpha : alphas_) list += fmt::format("{}{}", list.empty() ? "" : ",", alpha);
        return {{"quantile_alpha", "[" + list + "]"}};
    }
    std::string DefaultMetric(DefaultMetrics) const override { return median_only_ ? "mae" : "quantile"; }
    std::size_t FirstBadLabel(std::span<const float> labels) const override { return labels.size(); }
    std::string LabelRule() const override { return "must be a number"; }
    InterceptRule intercept_rule() const override { return InterceptRule::kLabelQuantiles; }
    std::optional<double> LeafQuantile(std::size_t group) const override { return static_cast<double>(alphas_[group]); }

  private:
    void GradientsOf(const RowsView& rows, std::size_t begin, std::size_t end, float* grad,
                     float* hess) const override {
        for (std::size_t group = 0; group < alphas_.size(); ++group) {
            const float* margins = rows.margins + group * rows.num_rows;
            for (std::size_t r = begin; r < end; ++r) {
                const float weight = rows.WeightOf(r);
                const float error = margins[r] - rows.labels[r];
                float slope = error >= 0 ? 1.0F - alphas_[group] : -alphas_[group];
                if (median_only_) slope = error > 0 ? 1.0F : (error < 0 ? -1.0F : 0.0F);
                grad[group * rows.num_rows + r] = slope * weight;
                hess[group * rows.num_rows + r] = weight;
            }
        }
    }

    bool median_only_;
    std::vector<float> alphas_;
};

}  // namespace

std::unique_ptr<Objective> MakeQuantileError(const TrainParams& params) {
    return std::make_unique<QuantileError>(params);
}

}  // namespace espalier::learn
