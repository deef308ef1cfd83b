// Areas under curves: auc (ROC) and aucpr (precision over recall), for two classes, one class against the rest
// (weighted by prevalence), and per query.
//
// Two classes: rows of all ranks by falling score, trapezoids over ties. Weights are added as integers, areas under ROC
// too, so nothing depends on the order of rows; each rank keeps all labels and weights and gathers 4 bytes a row of
// scores in a round. Source: xgboost metric/auc.cc; Keilwagen, Grosse and Grau 2014 for the interpolation of aucpr.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "kernels/double_math.h"
#include "learn/exact_sum.h"
#include "learn/metrics/families.h"
#include "learn/query_groups.h"

namespace espalier::learn {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// A float's 24 bits of weight fit 30; 2^31 rows of them fit 61.
constexpr int kWeightBits = 30;

/// Weights of positives and negatives, of one class against the rest.
struct Curve {
    double area = kNan;  ///< as a share of the square; NaN when one side is empty
    double positives = 0;
};

struct ScoredRow {
    float score;
    float label;
    float weight;
};

/// The change of the area under precision over recall between two points of the curve.
double AreaOfStep(double negatives_before, double negatives, double positives_before, double positives, double total) {
    const double recall_before = positives_before / total;
    const double recall = positives / total;
    double a = 1;
    double b = 0;
    if (positives != positives_before) {
        const double slope = (negatives - negatives_before) / (positives - positives_before);
        a = slope + 1;
        b = (negatives_before - slope * positives_before) / total;
    }
    if (b == 0) return (recall - recall_before) / a;
    return (recall - recall_before - b / a * (kernels::Log(a * recall + b) - kernels::Log(a * recall_before + b))) / a;
}

/// Sorts `rows`.
Curve CurveOf(std::vector<ScoredRow>& rows, bool precision_recall) {
    float greatest = 0;
    for (const ScoredRow& row : rows) greatest = std::max(greatest, row.weight);
    int magnitude = 0;
    std::frexp(greatest, &magnitude);
    const double units = std::ldexp(1.0, kWeightBits - magnitude);
    const auto positive_part = [&](const ScoredRow& row) {
        return static_cast<std::int64_t>(static_cast<double>(row.weight) * units * static_cast<double>(row.label));
    };
    const auto negative_part = [&](const ScoredRow& row) {
        return static_cast<std::int64_t>(static_cast<double>(row.weight) * units *
                                         (1.0 - static_cast<double>(row.label)));
    };
    std::int64_t all_positive = 0;
    std::int64_t all_negative = 0;
    for (const ScoredRow& row : rows) {
        all_positive += positive_part(row);
        all_negative += negative_part(row);
    }
    Curve curve;
    curve.positives = static_cast<double>(all_positive) / units;
    if (all_positive <= 0 || all_negative <= 0) return curve;
    std::sort(rows.begin(), rows.end(), [](const ScoredRow& a, const ScoredRow& b) { return a.score > b.score; });
    std::int64_t positive = 0;
    std::int64_t negative = 0;
    __int128 twice_area = 0;
    double pr_area = 0;
    for (std::size_t begin = 0; begin < rows.size();) {
        const std::int64_t positive_before = positive;
        const std::int64_t negative_before = negative;
        std::size_t end = begin;
        for (; end < rows.size() && rows[end].score == rows[begin].score; ++end) {
            positive += positive_part(rows[end]);
            negative += negative_part(rows[end]);
        }
        if (precision_recall) {
            pr_area += AreaOfStep(static_cast<double>(negative_before), static_cast<double>(negative),
                                  static_cast<double>(positive_before), static_cast<double>(positive),
                                  static_cast<double>(all_positive));
        } else {
            twice_area += static_cast<__int128>(negative - negative_before) * (positive_before + positive);
        }
        begin = end;
    }
    curve.area = precision_recall ? pr_area
                                  : static_cast<double>(twice_area) / 2 /
                                        (static_cast<double>(all_positive) * static_cast<double>(all_negative));
    return curve;
}

class AreaUnderCurve final : public Metric {
  public:
    AreaUnderCurve(const MetricName& name, const TrainParams& params)
        : Metric(name.full),
          precision_recall_(name.base == "aucpr"),
          num_class_(static_cast<std::size_t>(std::max(params.num_class, 1))),
          refuses_one_class_(params.version <= AlgorithmVersion::k1_3_1 && !precision_recall_),
          link_(EvaluationLink(params)) {}
    bool maximize() const override { return true; }

    Result<double> Evaluate(const RowsView& rows, WorkerTeam& team, collective::Comm& comm) override {
        TRY(Learn(rows, comm));
        if (has_queries_) return MeanOverQueries(rows, team, comm);
        if (num_class_ > 1) return OneAgainstTheRest(rows, team, comm);
        std::vector<float> scores(rows.num_rows);
        OutputsOf(link_, rows.margins, scores.size(), scores.data());
        const std::vector<float> all = TRY(Gather(scores, comm));
        std::vector<ScoredRow> scored(all.size());
        for (std::size_t r = 0; r < all.size(); ++r) scored[r] = {all[r], labels_[r], WeightAt(r)};
        const double area = CurveOf(scored, precision_recall_).area;
        // Engines from 1.4 on say that the area is not a number.
        if (std::isnan(area) && refuses_one_class_) {
            return Error(ErrorCode::kInvalidArgument,
                         "AUC: the dataset only contains pos or neg samples. Metric 'auc' cannot be computed with all "
                         "positive or all negative samples. Please ensure labels in the datasets contain both positive "
                         "and negative samples.");
        }
        return std::isnan(area) ? area : std::min(1.0, area);
    }

  private:
    /// Labels and weights of all ranks, once.
    Result<void> Learn(const RowsView& rows, collective::Comm& comm) {
        if (learned_) return {};
        learned_ = true;
        std::vector<std::int64_t> any = {rows.query_begins.empty() ? 0 : 1, rows.weights == nullptr ? 0 : 1};
        TRY(comm.AllReduceMax(std::span<std::int64_t>(any)));
        has_queries_ = any[0] != 0;
        if (has_queries_) return QueryGroups(rows).CheckWeights(comm);
        labels_ = TRY(Gather({rows.labels, rows.num_rows}, comm));
        if (any[1] == 0) return {};
        std::vector<float> weights(rows.num_rows);
        for (std::size_t r = 0; r < weights.size(); ++r) weights[r] = rows.WeightOf(r);
        weights_ = TRY(Gather(weights, comm));
        return {};
    }

    static Result<std::vector<float>> Gather(std::span<const float> mine, collective::Comm& comm) {
        const auto parts = TRY(comm.AllGatherV(std::as_bytes(mine)));
        std::vector<float> all;
        for (const auto& part : parts) {
            const std::size_t size = all.size();
            all.resize(size + part.size() / sizeof(float));
            if (!part.empty()) std::memcpy(all.data() + size, part.data(), part.size());
        }
        return all;
    }

    float WeightAt(std::size_t row) const { return weights_.empty() ? 1.0F : weights_[row]; }

    Result<double> OneAgainstTheRest(const RowsView& rows, WorkerTeam& team, collective::Comm& comm) {
        std::vector<float> probabilities(num_class_ * rows.num_rows);
        std::vector<float> of_row(num_class_);
        for (std::size_t r = 0; r < rows.num_rows; ++r) {
            for (std::size_t k = 0; k < num_class_; ++k) of_row[k] = rows.margins[k * rows.num_rows + r];
            model::Softmax(of_row);
            for (std::size_t k = 0; k < num_class_; ++k) probabilities[k * rows.num_rows + r] = of_row[k];
        }
        std::vector<std::vector<float>> all(num_class_);
        for (std::size_t k = 0; k < num_class_; ++k) {
            all[k] = TRY(Gather({probabilities.data() + k * rows.num_rows, rows.num_rows}, comm));
        }
        std::vector<Curve> curves(num_class_);
        team.ForEach(num_class_, [&](std::size_t k, int) {
            std::vector<ScoredRow> scored(labels_.size());
            for (std::size_t r = 0; r < scored.size(); ++r) {
                scored[r] = {all[k][r], labels_[r] == static_cast<float>(k) ? 1.0F : 0.0F, WeightAt(r)};
            }
            curves[k] = CurveOf(scored, precision_recall_);
        });
        double sum = 0;
        double prevalence = 0;
        for (const Curve& curve : curves) {
            // Stock weights areas under ROC by prevalence and those of precision equally.
            const double share = precision_recall_ ? 1 : curve.positives;
            sum += curve.area * share;
            prevalence += share;
        }
        return prevalence > 0 ? sum / prevalence : kNan;
    }

    Result<double> MeanOverQueries(const RowsView& rows, WorkerTeam& team, collective::Comm& comm) {
        const QueryGroups queries(rows);
        std::vector<double> areas(queries.size());
        std::vector<double> valid(queries.size());
        team.ForEach(queries.size(), [&](std::size_t query, int) {
            const std::span<const float> margins = queries.MarginsOf(query);
            std::vector<float> scores(margins.size());
            OutputsOf(link_, margins.data(), margins.size(), scores.data());
            const double area = precision_recall_ ? PrecisionArea(queries.LabelsOf(query), scores)
                                                  : PairShare(queries.LabelsOf(query), scores);
            valid[query] = std::isnan(area) ? 0 : 1;
            areas[query] = std::isnan(area) ? 0 : area;
        });
        const std::vector<std::span<const double>> series = {areas, valid};
        const std::vector<double> sums = TRY(ExactSums(series, rows.total_rows, team, comm));
        return sums[1] > 0 ? sums[0] / sums[1] : kNan;
    }

    static double PrecisionArea(std::span<const float> labels, std::span<const float> scores) {
        std::vector<ScoredRow> scored(labels.size());
        for (std::size_t r = 0; r < scored.size(); ++r) scored[r] = {scores[r], labels[r], 1.0F};
        return CurveOf(scored, true).area;
    }

    /// The share of a query's pairs, rows by falling label, that scores put in the same order; NaN below three rows.
    static double PairShare(std::span<const float> labels, std::span<const float> scores) {
        if (labels.size() < 3) return kNan;
        const std::vector<std::uint32_t> order = RanksOf(labels);
        std::uint64_t twice_right = 0;
        for (std::size_t i = 0; i < order.size(); ++i) {
            for (std::size_t j = i + 1; j < order.size(); ++j) {
                const float a = scores[order[i]];
                const float b = scores[order[j]];
                twice_right += a > b ? 2 : (a == b ? 1 : 0);
            }
        }
        const auto size = static_cast<double>(order.size());
        return static_cast<double>(twice_right) / (size * (size - 1));
    }

    bool precision_recall_;
    std::size_t num_class_;
    bool refuses_one_class_;
    model::Link link_;
    bool learned_ = false;
    bool has_queries_ = false;
    std::vector<float> labels_;   ///< of all ranks, rank after rank
    std::vector<float> weights_;  ///< likewise; empty: 1 each
};

}  // namespace

MetricResult MakeCurve(const MetricName& name, const TrainParams& params) {
    const bool ranks = params.objective.starts_with("rank:") || params.objective.starts_with("binary:");
    if (!ranks && params.objective != "reg:logistic" && params.num_class <= 1) {
        return DoesNotFit(name.full, params, "rmse or mae");
    }
    return std::unique_ptr<Metric>(std::make_unique<AreaUnderCurve>(name, params));
}

}  // namespace espalier::learn
