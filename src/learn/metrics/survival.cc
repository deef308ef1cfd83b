// cox-nloglik, aft-nloglik and interval-regression-accuracy.
#include <cmath>
#include <limits>

#include "kernels/double_math.h"
#include "learn/metrics/families.h"
#include "learn/survival_loss.h"
#include "learn/time_order.h"

namespace espalier::learn {

namespace {

/// The negative logarithm of Cox's partial likelihood per event. Each rank walks all ranks' rows in order of time.
class CoxLogLik final : public Metric {
  public:
    explicit CoxLogLik(model::Link link) : Metric("cox-nloglik"), link_(link) {}

    Result<double> Evaluate(const RowsView& rows, WorkerTeam&, collective::Comm& comm) override {
        if (!order_.has_value()) order_ = TRY(TimeOrder::Create(rows, comm));
        std::vector<float> outputs(rows.num_rows);
        OutputsOf(link_, rows.margins, outputs.size(), outputs.data());
        const std::vector<float> gathered = TRY(order_->Gather(outputs, comm));
        const std::vector<double> hazards(gathered.begin(), gathered.end());
        const std::vector<double> at_risk = order_->AtRisk(hazards);
        double loss = 0;
        double num_events = 0;
        for (std::size_t i = 0; i < hazards.size(); ++i) {
            if (!order_->is_event(i)) continue;
            loss -= kernels::Log(hazards[i]) - kernels::Log(at_risk[i]);
            ++num_events;
        }
        return num_events > 0 ? loss / num_events : std::numeric_limits<double>::quiet_NaN();
    }

  private:
    model::Link link_;
    std::optional<TimeOrder> order_;
};

class AftLogLik final : public MeanMetric {
  public:
    explicit AftLogLik(const TrainParams& params)
        : MeanMetric("aft-nloglik"),
          noise_(NoiseDistributionOf(params.aft_loss_distribution)),
          sigma_(static_cast<double>(params.aft_loss_distribution_scale)) {}

  private:
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        for (std::size_t r = begin; r < end; ++r) {
            losses[r] = AftLoss(noise_, BoundsOf(rows, r), static_cast<double>(rows.margins[r]), sigma_) *
                        static_cast<double>(rows.WeightOf(r));
        }
    }

    NoiseDistribution noise_;
    double sigma_;
};

/// The share of rows whose predicted time lies within their bounds.
class IntervalAccuracy final : public MeanMetric {
  public:
    IntervalAccuracy() : MeanMetric("interval-regression-accuracy") {}

  private:
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        for (std::size_t r = begin; r < end; ++r) {
            const double time = kernels::Exp(static_cast<double>(rows.margins[r]));
            const TimeBounds bounds = BoundsOf(rows, r);
            const bool inside = time >= bounds.lower && time <= bounds.upper;
            losses[r] = inside ? static_cast<double>(rows.WeightOf(r)) : 0.0;
        }
    }
};

}  // namespace

MetricResult MakeSurvival(const MetricName& name, const TrainParams& params) {
    if (params.num_groups() > 1) return DoesNotFit(name.full, params, "it with one output per row");
    if (name.base == "cox-nloglik") {
        return std::unique_ptr<Metric>(std::make_unique<CoxLogLik>(EvaluationLink(params)));
    }
    if (params.objective != "survival:aft") return DoesNotFit(name.full, params, "it with objective survival:aft");
    if (name.base == "aft-nloglik") return std::unique_ptr<Metric>(std::make_unique<AftLogLik>(params));
    return std::unique_ptr<Metric>(std::make_unique<IntervalAccuracy>());
}

}  // namespace espalier::learn
