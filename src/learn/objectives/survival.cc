// Survival: Cox's proportional hazards (partial likelihood, Breslow's ties) and the accelerated failure time model.
#include <cmath>

#include "kernels/double_math.h"
#include "kernels/float_math.h"
#include "learn/objectives/families.h"
#include "learn/survival_loss.h"
#include "learn/time_order.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 2048;

/// Each rank walks all ranks' rows in order of time and keeps the gradients of its own.
class Cox final : public Objective {
  public:
    std::string_view name() const override { return "survival:cox"; }
    std::string DefaultMetric(DefaultMetrics) const override { return "cox-nloglik"; }
    std::size_t FirstBadLabel(std::span<const float> labels) const override { return labels.size(); }
    std::string LabelRule() const override { return "must be a number: the time, negative when censored"; }
    Result<void> Prepare(const RowsView& rows, WorkerTeam&, collective::Comm& comm) override {
        order_ = TRY(TimeOrder::Create(rows, comm));
        return {};
    }
    Result<void> Gradients(const RowsView& rows, int, WorkerTeam& team, collective::Comm& comm, float* grad,
                           float* hess) const override {
        const std::vector<float> margins = TRY(order_.Gather({rows.margins, rows.num_rows}, comm));
        std::vector<double> hazards(margins.size());
        team.ForBlocks(hazards.size(), kBlockRows, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t i = begin; i < end; ++i) hazards[i] = kernels::Exp(static_cast<double>(margins[i]));
        });
        const std::vector<Risk> risks = RisksAt(hazards);
        team.ForBlocks(rows.num_rows, kBlockRows, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t row = begin; row < end; ++row) {
                const std::size_t place = order_.places()[row];
                const double hazard = hazards[place];
                const double cumulated = hazard * risks[place].inverse;
                const auto weight = static_cast<double>(rows.WeightOf(row));
                const double event = order_.is_event(place) ? 1 : 0;
                grad[row] = static_cast<float>((cumulated - event) * weight);
                const double curvature = cumulated - hazard * hazard * risks[place].inverse_square;
                hess[row] = static_cast<float>(std::max(curvature, 0.0) * weight);
            }
        });
        return {};
    }
    InterceptRule intercept_rule() const override { return InterceptRule::kNewtonStep; }
    float OutputOf(float margin) const override { return kernels::Exp(margin); }
    Result<void> CheckBaseScore(float base_score) const override {
        if (base_score > 0) return {};
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("`base_score` must be greater than 0 for survival:cox, not {}.", base_score));
    }
    bool needs_row_identity() const override { return true; }

  private:
    /// Sums over the events up to a place of 1 / S and 1 / S^2, S being the hazards still at risk.
    struct Risk {
        double inverse = 0;
        double inverse_square = 0;
    };

    /// Breslow's ties: rows of one time are at risk together. Within a tie a row sees the events up to itself, as in
    /// stock.
    std::vector<Risk> RisksAt(const std::vector<double>& hazards) const {
        const std::vector<double> at_risk = order_.AtRisk(hazards);
        std::vector<Risk> risks(hazards.size());
        Risk so_far;
        for (std::size_t i = 0; i < hazards.size(); ++i) {
            if (order_.is_event(i)) {
                so_far.inverse += 1 / at_risk[i];
                so_far.inverse_square += 1 / (at_risk[i] * at_risk[i]);
            }
            risks[i] = so_far;
        }
        return risks;
    }

    TimeOrder order_;
};

class Aft final : public RowObjective {
  public:
    explicit Aft(const TrainParams& params)
        : distribution_(params.aft_loss_distribution),
          noise_(NoiseDistributionOf(distribution_)),
          scale_(params.aft_loss_distribution_scale) {}
    std::string_view name() const override { return "survival:aft"; }
    std::map<std::string, std::string> ModelParams() const override {
        return {{"aft_loss_distribution", distribution_}, {"aft_loss_distribution_scale", ParamText(scale_)}};
    }
    std::string DefaultMetric(DefaultMetrics) const override { return "aft-nloglik"; }
    std::size_t FirstBadLabel(std::span<const float> labels) const override {
        return FirstWhereNot(labels, [](float y) { return y != 0; });
    }
    std::string LabelRule() const override {
        return "must not be 0 for survival:aft: it is the time of an event, or minus the time of censoring";
    }
    InterceptRule intercept_rule() const override { return InterceptRule::kHalf; }
    float OutputOf(float margin) const override { return kernels::Exp(margin); }
    Result<void> CheckBaseScore(float base_score) const override {
        if (base_score > 0) return {};
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("`base_score` must be greater than 0 for survival:aft, not {}.", base_score));
    }

  private:
    void GradientsOf(const RowsView& rows, std::size_t begin, std::size_t end, float* grad,
                     float* hess) const override {
        for (std::size_t r = begin; r < end; ++r) {
            const AftDerivatives derivatives = AftDerivativesOf(
                noise_, BoundsOf(rows, r), static_cast<double>(rows.margins[r]), static_cast<double>(scale_));
            const auto weight = static_cast<double>(rows.WeightOf(r));
            grad[r] = static_cast<float>(derivatives.grad * weight);
            hess[r] = static_cast<float>(derivatives.hess * weight);
        }
    }

    std::string distribution_;
    NoiseDistribution noise_;
    float scale_;
};

}  // namespace

std::unique_ptr<Objective> MakeCox(const TrainParams&) {
    return std::make_unique<Cox>();
}
std::unique_ptr<Objective> MakeAft(const TrainParams& params) {
    return std::make_unique<Aft>(params);
}

}  // namespace espalier::learn
