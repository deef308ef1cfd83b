#include "learn/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "kernels/float_math.h"
#include "learn/exact_sum.h"
#include "model/links.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 4096;
constexpr float kProbabilityMin = 1e-16F;

float WeightOf(const RowsView& rows, std::size_t row) {
    return rows.weights != nullptr ? rows.weights[row] : 1.0F;
}

/// A metric of one prediction and one label. `Loss(prediction, label)` in float, as xgboost computes it.
template <typename Loss>
class ElementMetric final : public Metric {
  public:
    ElementMetric(std::string name, Loss loss, bool logistic, bool root)
        : Metric(std::move(name)), loss_(loss), logistic_(logistic), root_(root) {}
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        for (std::size_t r = begin; r < end; ++r) {
            const float prediction = logistic_ ? model::Sigmoid(rows.margins[r]) : rows.margins[r];
            losses[r] = static_cast<double>(loss_(prediction, rows.labels[r]) * WeightOf(rows, r));
        }
    }
    double Finish(double mean) const override { return root_ ? std::sqrt(mean) : mean; }

  private:
    Loss loss_;
    bool logistic_;
    bool root_;
};

template <typename Loss>
std::unique_ptr<Metric> MakeElement(std::string name, Loss loss, bool logistic, bool root = false) {
    return std::make_unique<ElementMetric<Loss>>(std::move(name), loss, logistic, root);
}

class MultiError final : public Metric {
  public:
    explicit MultiError(int num_class) : Metric("merror"), num_class_(static_cast<std::size_t>(num_class)) {}
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
        for (std::size_t r = begin; r < end; ++r) {
            std::size_t best = 0;
            for (std::size_t k = 1; k < num_class_; ++k) {
                if (rows.margins[k * rows.num_rows + r] > rows.margins[best * rows.num_rows + r]) best = k;
            }
            losses[r] = best == static_cast<std::size_t>(rows.labels[r]) ? 0.0 : static_cast<double>(WeightOf(rows, r));
        }
    }

  private:
    std::size_t num_class_;
};

class MultiLogLoss final : public Metric {
  public:
    explicit MultiLogLoss(int num_class) : Metric("mlogloss"), num_class_(static_cast<std::size_t>(num_class)) {}
    void Losses(const RowsView& rows, std::size_t begin, std::size_t end, double* losses) const override {
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
            losses[r] = static_cast<double>(-kernels::Log(std::max(p, kProbabilityMin)) * WeightOf(rows, r));
        }
    }

  private:
    std::size_t num_class_;
};

class Auc final : public Metric {
  public:
    Auc() : Metric("auc") {}
    bool maximize() const override { return true; }
    bool is_auc() const override { return true; }
    void Losses(const RowsView&, std::size_t, std::size_t, double*) const override {}
};

struct ScoredRow {
    float score;
    float label;
    float weight;
};

/// Trapezoid over ties of the score; nan when one class is absent. Sums within a tie are of the same score, so the
/// order of ranks could matter only to rounding: weights are added as integers of the weight unit.
Result<double> AucOfAllRanks(const RowsView& rows, std::uint64_t total_rows, collective::Comm& comm) {
    std::vector<ScoredRow> mine(rows.num_rows);
    for (std::size_t r = 0; r < rows.num_rows; ++r) mine[r] = {rows.margins[r], rows.labels[r], WeightOf(rows, r)};
    const auto parts = TRY(comm.AllGatherV(std::as_bytes(std::span(mine))));
    std::vector<ScoredRow> all;
    all.reserve(total_rows);
    float highest_weight = 0;
    for (const auto& part : parts) {
        const std::size_t size = all.size();
        all.resize(size + part.size() / sizeof(ScoredRow));
        if (!part.empty()) std::memcpy(all.data() + size, part.data(), part.size());
    }
    for (ScoredRow& row : all) {
        row.score = model::Sigmoid(row.score);
        highest_weight = std::max(highest_weight, row.weight);
    }
    std::sort(all.begin(), all.end(), [](const ScoredRow& a, const ScoredRow& b) { return a.score > b.score; });
    int magnitude = 0;
    std::frexp(highest_weight, &magnitude);
    const double units = std::ldexp(1.0, 30 - magnitude);  // A float's 24 bits fit; 2^31 rows of them fit 2^61.
    std::int64_t positive = 0;
    std::int64_t negative = 0;
    double area = 0;
    for (std::size_t begin = 0; begin < all.size();) {
        std::int64_t tie_positive = 0;
        std::int64_t tie_negative = 0;
        std::size_t end = begin;
        for (; end < all.size() && all[end].score == all[begin].score; ++end) {
            const double weight = static_cast<double>(all[end].weight) * units;
            tie_positive += static_cast<std::int64_t>(weight * static_cast<double>(all[end].label));
            tie_negative += static_cast<std::int64_t>(weight * (1.0 - static_cast<double>(all[end].label)));
        }
        area += static_cast<double>(tie_negative) *
                (static_cast<double>(positive) + static_cast<double>(tie_positive) * 0.5);
        positive += tie_positive;
        negative += tie_negative;
        begin = end;
    }
    if (positive == 0 || negative == 0) return std::numeric_limits<double>::quiet_NaN();
    return area / (static_cast<double>(positive) * static_cast<double>(negative));
}

Error Unsupported(std::string_view name) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("eval_metric '{}' is not computed by this build yet. Use one of: rmse, mae, error, "
                             "error@t, logloss, auc, merror, mlogloss.",
                             name));
}

Error DoesNotFit(std::string_view name, std::string_view objective, std::string_view use) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("eval_metric '{}' does not fit objective '{}'. Use {}.", name, objective, use));
}

}  // namespace

Result<std::unique_ptr<Metric>> MakeMetric(std::string_view name, const TrainParams& params) {
    const bool multi = params.num_class > 1;
    const bool logistic = params.objective == "binary:logistic" || params.objective == "reg:logistic";
    if (name == "merror" || name == "mlogloss") {
        if (!multi) return DoesNotFit(name, params.objective, "error or logloss for two classes, rmse for regression");
        if (name == "merror") return std::unique_ptr<Metric>(std::make_unique<MultiError>(params.num_class));
        return std::unique_ptr<Metric>(std::make_unique<MultiLogLoss>(params.num_class));
    }
    const std::string_view base = name.substr(0, name.find('@'));
    const bool known = name == "rmse" || name == "mae" || name == "logloss" || name == "auc" || base == "error";
    if (!known) return Unsupported(name);
    if (multi) return DoesNotFit(name, params.objective, "merror or mlogloss");
    if (name == "auc") {
        if (!logistic) return DoesNotFit(name, params.objective, "rmse or mae");
        return std::unique_ptr<Metric>(std::make_unique<Auc>());
    }
    if (name == "rmse") {
        return MakeElement(
            "rmse", [](float p, float y) { return (y - p) * (y - p); }, logistic, true);
    }
    if (name == "mae")
        return MakeElement(
            "mae", [](float p, float y) { return std::fabs(y - p); }, logistic);
    if (name == "logloss") {
        if (!logistic) return DoesNotFit(name, params.objective, "rmse or mae");
        return MakeElement(
            "logloss",
            [](float p, float y) {
                return -(y * kernels::Log(std::max(p, kProbabilityMin)) +
                         (1.0F - y) * kernels::Log(std::max(1.0F - p, kProbabilityMin)));
            },
            true);
    }
    float threshold = 0.5F;
    std::string shown = "error";
    if (base.size() < name.size()) {
        const std::string_view text = name.substr(base.size() + 1);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threshold);
        if (error != std::errc() || end != text.data() + text.size()) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("Threshold value 't' in 'error@t' expects float input, not '{}'.", text));
        }
        if (threshold != 0.5F) shown = fmt::format("error@{:g}", threshold);
    }
    return MakeElement(
        shown, [threshold](float p, float y) { return p > threshold ? 1.0F - y : y; }, logistic);
}

Result<std::vector<double>> MetricEvaluator::Evaluate(const RowsView& rows, std::uint64_t total_rows, WorkerTeam& team,
                                                      collective::Comm& comm) {
    losses_.resize(metrics_.size() + 1);
    for (auto& losses : losses_) losses.resize(rows.num_rows);
    team.ForBlocks(rows.num_rows, kBlockRows, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t m = 0; m < metrics_.size(); ++m) {
            if (!metrics_[m]->is_auc()) metrics_[m]->Losses(rows, begin, end, losses_[m].data());
        }
        for (std::size_t r = begin; r < end; ++r) losses_.back()[r] = static_cast<double>(WeightOf(rows, r));
    });
    std::vector<std::span<const double>> series;
    for (const auto& losses : losses_) series.emplace_back(losses);
    for (std::size_t m = 0; m < metrics_.size(); ++m) {
        if (metrics_[m]->is_auc()) series[m] = {};
    }
    const std::vector<double> sums = TRY(ExactSums(series, total_rows, team, comm));
    std::vector<double> values;
    for (std::size_t m = 0; m < metrics_.size(); ++m) {
        if (metrics_[m]->is_auc()) {
            values.push_back(TRY(AucOfAllRanks(rows, total_rows, comm)));
        } else {
            values.push_back(sums.back() > 0 ? metrics_[m]->Finish(sums[m] / sums.back())
                                             : std::numeric_limits<double>::quiet_NaN());
        }
    }
    return values;
}

}  // namespace espalier::learn
