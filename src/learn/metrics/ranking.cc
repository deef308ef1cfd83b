// ndcg, map and pre: weighted means over queries, of all ranks. "@k" looks at the first k rows by score; "-" gives a
// query without relevant rows 0 instead of 1.
#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "learn/exact_sum.h"
#include "learn/metrics/families.h"
#include "learn/query_groups.h"

namespace espalier::learn {

namespace {

enum class Kind { kNdcg, kMap, kPrecision };

class RankingMetric final : public Metric {
  public:
    RankingMetric(const MetricName& name, std::size_t top, model::Link link)
        : Metric(name.full),
          kind_(name.base == "ndcg" ? Kind::kNdcg : (name.base == "map" ? Kind::kMap : Kind::kPrecision)),
          top_(top),
          minus_(name.minus),
          link_(link) {}
    bool maximize() const override { return true; }

    Result<double> Evaluate(const RowsView& rows, WorkerTeam& team, collective::Comm& comm) override {
        const QueryGroups queries(rows);
        if (!checked_) {
            TRY(CheckLabels(rows, comm));
            TRY(queries.CheckWeights(comm));
            checked_ = true;
        }
        std::vector<double> scores(queries.size());
        std::vector<double> weights(queries.size());
        team.ForEach(queries.size(), [&](std::size_t query, int) {
            weights[query] = static_cast<double>(queries.WeightOf(query));
            scores[query] = ScoreOf(queries, query);
        });
        const std::vector<std::span<const double>> series = {scores, weights};
        const std::vector<double> sums = TRY(ExactSums(series, rows.total_rows, team, comm));
        if (!(sums[1] > 0)) return std::numeric_limits<double>::quiet_NaN();
        return std::min(1.0, sums[0] / sums[1]);
    }

  private:
    Result<void> CheckLabels(const RowsView& rows, collective::Comm& comm) const {
        const auto fits = kind_ == Kind::kNdcg ? IsRelevance : IsBinaryRelevance;
        std::vector<std::int64_t> bad = {std::all_of(rows.labels, rows.labels + rows.num_rows, fits) ? 0 : 1};
        TRY(comm.AllReduceMax(std::span<std::int64_t>(bad)));
        if (bad[0] == 0) return {};
        return Error(ErrorCode::kInvalidArgument,
                     kind_ == Kind::kNdcg
                         ? fmt::format("{} needs degrees of relevance as labels: whole numbers from 0 to 31.", name())
                         : fmt::format("{} can only be used with binary labels: every label must be 0 or 1.", name()));
    }

    double ScoreOf(const QueryGroups& queries, std::size_t query) const {
        const std::span<const float> margins = queries.MarginsOf(query);
        std::vector<float> outputs(margins.size());
        OutputsOf(link_, margins.data(), margins.size(), outputs.data());
        const std::vector<std::uint32_t> ranked = RanksOf(outputs);
        const std::span<const float> labels = queries.LabelsOf(query);
        const auto weight = static_cast<double>(queries.WeightOf(query));
        if (kind_ == Kind::kNdcg) return NdcgOf(labels, ranked, weight);
        if (kind_ == Kind::kMap) return MapOf(labels, ranked) * weight;
        double hits = 0;
        const std::size_t top = std::min(top_, labels.size());
        for (std::size_t i = 0; i < top; ++i) hits += static_cast<double>(labels[ranked[i]]);
        return hits * weight / static_cast<double>(top);
    }

    /// A query without relevant rows counts with weight 1, whatever its weight, as in stock.
    double NdcgOf(std::span<const float> labels, const std::vector<std::uint32_t>& ranked, double weight) const {
        const std::vector<std::uint32_t> best = RanksOf(labels);
        double dcg = 0;
        double ideal = 0;
        for (std::size_t i = 0; i < std::min(top_, labels.size()); ++i) {
            const double discount = DcgDiscount(i);
            dcg += discount * DcgGain(labels[ranked[i]]);
            ideal += discount * DcgGain(labels[best[i]]);
        }
        if (ideal <= 0) return minus_ ? 0 : 1;
        return dcg / ideal * weight;
    }

    double MapOf(std::span<const float> labels, const std::vector<std::uint32_t>& ranked) const {
        double hits = 0;
        double sum = 0;
        for (std::size_t i = 0; i < labels.size(); ++i) {
            const auto relevant = static_cast<double>(labels[ranked[i]]);
            hits += relevant;
            if (i < top_) sum += hits / static_cast<double>(i + 1) * relevant;
        }
        if (hits <= 0) return minus_ ? 0 : 1;
        return sum / std::min(hits, static_cast<double>(top_));
    }

    Kind kind_;
    std::size_t top_;
    bool minus_;
    model::Link link_;
    bool checked_ = false;
};

}  // namespace

MetricResult MakeRanking(const MetricName& name, const TrainParams& params) {
    if (params.num_groups() > 1) return DoesNotFit(name.full, params, "it with one output per row");
    std::uint32_t top = std::numeric_limits<std::uint32_t>::max();
    if (name.argument.has_value()) {
        // As stock reads it: the digits at the beginning.
        const std::string& text = *name.argument;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), top);
        if (error != std::errc() || top == 0) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("'{}' in eval_metric '{}' is not a number of rows, from 1.", text, name.full));
        }
    }
    return std::unique_ptr<Metric>(std::make_unique<RankingMetric>(name, top, EvaluationLink(params)));
}

}  // namespace espalier::learn
