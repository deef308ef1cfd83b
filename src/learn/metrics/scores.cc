// What the images compute beside the engine, as scikit-learn defines it: accuracy, balanced_accuracy, f1, precision,
// recall and their averages; mse and r2.
//
// As in the images rows count once, whatever their weight, and predictions are margins: the class is the greatest
// margin, or whether the only one is above 0; a label above 0.5 is class 1 of two. (rmse and mae are the engine's here,
// weighted and on outputs, under every objective.) Counts are integers. Source: contracts/xgboost.md 3.2.
#include <fmt/format.h>

#include <limits>

#include "learn/exact_sum.h"
#include "learn/metrics/families.h"

namespace espalier::learn {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct ClassCounts {
    std::int64_t hits = 0;       ///< rows of the class that were predicted as it
    std::int64_t actual = 0;     ///< rows of the class
    std::int64_t predicted = 0;  ///< rows predicted as the class

    bool seen() const { return actual + predicted > 0; }
    double precision() const { return predicted > 0 ? static_cast<double>(hits) / static_cast<double>(predicted) : 0; }
    double recall() const { return actual > 0 ? static_cast<double>(hits) / static_cast<double>(actual) : 0; }
    double f1() const { return seen() ? 2 * static_cast<double>(hits) / static_cast<double>(actual + predicted) : 0; }
};

using Counts = std::vector<ClassCounts>;

double Accuracy(const Counts& counts) {
    std::int64_t hits = 0;
    std::int64_t rows = 0;
    for (const ClassCounts& count : counts) {
        hits += count.hits;
        rows += count.actual;
    }
    return rows > 0 ? static_cast<double>(hits) / static_cast<double>(rows) : kNan;
}

/// The mean over the classes that `counts_in` admits.
template <typename Score, typename CountsIn>
double MeanOf(const Counts& counts, Score score, CountsIn counts_in) {
    double sum = 0;
    int classes = 0;
    for (const ClassCounts& count : counts) {
        if (!counts_in(count)) continue;
        sum += score(count);
        ++classes;
    }
    return classes > 0 ? sum / classes : kNan;
}

double Seen(const Counts& counts, double (ClassCounts::*score)() const) {
    return MeanOf(
        counts, [&](const ClassCounts& count) { return (count.*score)(); },
        [](const ClassCounts& count) { return count.seen(); });
}

struct ClassScore {
    std::string_view name;
    double (*of)(const Counts& counts);
    bool two_classes_only = false;
};

constexpr ClassScore kClassScores[] = {
    {"accuracy", Accuracy},
    {"balanced_accuracy",
     [](const Counts& counts) {
         return MeanOf(
             counts, [](const ClassCounts& count) { return count.recall(); },
             [](const ClassCounts& count) { return count.actual > 0; });
     }},
    {"f1", [](const Counts& counts) { return Seen(counts, &ClassCounts::f1); }},
    {"f1_binary", [](const Counts& counts) { return counts[1].f1(); }, true},
    {"f1_macro", [](const Counts& counts) { return Seen(counts, &ClassCounts::f1); }},
    {"precision", [](const Counts& counts) { return counts[1].precision(); }, true},
    {"precision_macro", [](const Counts& counts) { return Seen(counts, &ClassCounts::precision); }},
    {"precision_micro", Accuracy},
    {"recall", [](const Counts& counts) { return counts[1].recall(); }, true},
    {"recall_macro", [](const Counts& counts) { return Seen(counts, &ClassCounts::recall); }},
    {"recall_micro", Accuracy},
};

class ClassMetric final : public Metric {
  public:
    ClassMetric(const ClassScore& score, int num_class)
        : Metric(std::string(score.name)), score_(score), num_class_(static_cast<std::size_t>(num_class)) {}
    bool maximize() const override { return true; }

    Result<double> Evaluate(const RowsView& rows, WorkerTeam&, collective::Comm& comm) override {
        const std::size_t num_counts = std::max<std::size_t>(num_class_, 2);
        std::vector<std::int64_t> shared(num_counts * 3, 0);
        for (std::size_t r = 0; r < rows.num_rows; ++r) {
            const std::size_t actual = num_class_ > 1 ? static_cast<std::size_t>(rows.labels[r])
                                                      : static_cast<std::size_t>(rows.labels[r] > 0.5F);
            const std::size_t predicted = PredictedOf(rows, r);
            if (actual == predicted) ++shared[3 * actual];
            ++shared[3 * actual + 1];
            ++shared[3 * predicted + 2];
        }
        TRY(comm.AllReduceSum(shared));
        Counts counts;
        for (std::size_t k = 0; k < num_counts; ++k) {
            counts.push_back({shared[3 * k], shared[3 * k + 1], shared[3 * k + 2]});
        }
        return score_.of(counts);
    }

  private:
    std::size_t PredictedOf(const RowsView& rows, std::size_t row) const {
        if (num_class_ <= 1) return rows.margins[row] > 0 ? 1 : 0;
        std::size_t best = 0;
        for (std::size_t k = 1; k < num_class_; ++k) {
            if (rows.margins[k * rows.num_rows + row] > rows.margins[best * rows.num_rows + row]) best = k;
        }
        return best;
    }

    const ClassScore& score_;
    std::size_t num_class_;
};

/// mse, or r2: one minus the errors' share of the labels' variance.
class SquaredErrors final : public Metric {
  public:
    explicit SquaredErrors(std::string name) : Metric(std::move(name)) {}
    bool maximize() const override { return name() == "r2"; }

    Result<double> Evaluate(const RowsView& rows, WorkerTeam& team, collective::Comm& comm) override {
        std::vector<double> labels(rows.num_rows);
        std::vector<double> errors(rows.num_rows);
        for (std::size_t r = 0; r < rows.num_rows; ++r) {
            labels[r] = static_cast<double>(rows.labels[r]);
            const double error = labels[r] - static_cast<double>(rows.margins[r]);
            errors[r] = error * error;
        }
        const std::vector<std::span<const double>> series = {labels, errors};
        const std::vector<double> sums = TRY(ExactSums(series, rows.total_rows, team, comm));
        const auto count = static_cast<double>(rows.total_rows);
        if (name() == "mse") return sums[1] / count;
        for (double& label : labels) label = (label - sums[0] / count) * (label - sums[0] / count);
        const std::vector<std::span<const double>> variance_series = {labels};
        const double variance = TRY(ExactSums(variance_series, rows.total_rows, team, comm))[0];
        if (variance == 0) return sums[1] == 0 ? 1.0 : 0.0;
        return 1 - sums[1] / variance;
    }
};

}  // namespace

MetricResult MakeScore(const MetricName& name, const TrainParams& params) {
    if (name.base == "mse" || name.base == "r2") {
        if (params.num_groups() > 1) return DoesNotFit(name.full, params, "accuracy, merror or mlogloss");
        return std::unique_ptr<Metric>(std::make_unique<SquaredErrors>(name.full));
    }
    const bool two_classes = params.objective.starts_with("binary:") || params.objective == "reg:logistic";
    if (!two_classes && params.num_class <= 1) return DoesNotFit(name.full, params, "mse, r2 or rmse");
    const ClassScore* score = std::find_if(std::begin(kClassScores), std::end(kClassScores),
                                           [&](const ClassScore& candidate) { return candidate.name == name.base; });
    if (score->two_classes_only && params.num_class > 2) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("eval_metric '{}': Target is multiclass but average='binary'. Please choose another "
                                 "average setting: {}.",
                                 name.full, name.base == "f1_binary" ? "f1_macro" : name.base + "_macro"));
    }
    return std::unique_ptr<Metric>(std::make_unique<ClassMetric>(*score, params.num_class));
}

}  // namespace espalier::learn
