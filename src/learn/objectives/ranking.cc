// Learning to rank: rank:pairwise, rank:ndcg and rank:map by lambda gradients.
//
// Pairs: from xgboost 2.0 on each of the 32 best-scored rows with every row below it; before, each row with one drawn
// from those of other labels. Draws are keyed by the query's place in the job, so they do not depend on ranks or
// threads (stock's depend on threads, so old images are met in distribution, not bit for bit).
// Source: contracts/xgboost.md 4.8; xgboost 3.2 objective/lambdarank_obj, 1.7 objective/rank_obj.
#include <cmath>

#include "learn/exact_sum.h"
#include "learn/objectives/families.h"
#include "learn/query_groups.h"
#include "learn/random.h"
#include "model/links.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kTopRanks = 32;
constexpr double kHessianMin = 1e-16;

/// One query in one round.
struct QueryState {
    std::span<const float> labels;
    std::span<const float> scores;
    std::vector<std::uint32_t> ranked;  ///< rows by falling score
    double inverse_idcg = 0;
    std::vector<double> relevant;   ///< [ranks] relevant rows up to a rank
    std::vector<double> precision;  ///< [ranks] sum of relevance / rank up to a rank

    float LabelAt(std::size_t rank) const { return labels[ranked[rank]]; }
    float ScoreAt(std::size_t rank) const { return scores[ranked[rank]]; }
};

enum class Target { kPairs, kNdcg, kMap };

class LambdaRank final : public Objective {
  public:
    explicit LambdaRank(const TrainParams& params)
        : name_(params.objective),
          target_(name_ == "rank:ndcg" ? Target::kNdcg : (name_ == "rank:map" ? Target::kMap : Target::kPairs)),
          draws_pairs_(params.version < AlgorithmVersion::k3_0_5),
          seed_(params.seed) {}

    std::string_view name() const override { return name_; }
    std::string DefaultMetric(DefaultMetrics defaults) const override {
        if (defaults < DefaultMetrics::kFrom2_0) return "map";
        return fmt::format("{}@{}", target_ == Target::kMap ? "map" : "ndcg", kTopRanks);
    }
    std::size_t FirstBadLabel(std::span<const float> labels) const override {
        if (target_ == Target::kNdcg) return FirstWhereNot(labels, IsRelevance);
        if (target_ == Target::kMap && !draws_pairs_) return FirstWhereNot(labels, IsBinaryRelevance);
        return labels.size();
    }
    std::string LabelRule() const override {
        if (target_ == Target::kMap) return "must be 0 or 1: map can only be used with binary labels";
        return "must be either 0 or a positive integer, at most 31, as a degree of relevance";
    }

    Result<void> Prepare(const RowsView& rows, WorkerTeam& team, collective::Comm& comm) override {
        std::vector<std::int64_t> lacks = {rows.num_rows > 0 && rows.query_begins.empty() ? 1 : 0};
        TRY(comm.AllReduceMax(std::span<std::int64_t>(lacks)));
        if (lacks[0] != 0 && comm.size() > 1) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("objective '{}' over several instances needs a qid on every row of the training "
                                     "data (label qid:1 0:0.5 …): without them each instance's rows would be a query.",
                                     name_));
        }
        const QueryGroups queries(rows);
        TRY(queries.CheckWeights(comm));
        std::vector<double> weights(queries.size());
        for (std::size_t query = 0; query < weights.size(); ++query) {
            weights[query] = static_cast<double>(queries.WeightOf(query));
        }
        const std::vector<double> ones(weights.size(), 1.0);
        const std::vector<std::span<const double>> series = {weights, ones};
        const std::vector<double> sums = TRY(ExactSums(series, rows.total_rows, team, comm));
        weight_norm_ = sums[0] > 0 ? static_cast<float>(sums[1] / sums[0]) : 1.0F;
        std::size_t longest = 0;
        for (std::size_t query = 0; query < queries.size(); ++query) {
            longest = std::max(longest, queries.end(query) - queries.begin(query));
        }
        for (std::size_t rank = 0; rank < longest; ++rank) discounts_.push_back(DcgDiscount(rank));
        return {};
    }

    Result<void> Gradients(const RowsView& rows, int round, WorkerTeam& team, collective::Comm&, float* grad,
                           float* hess) const override {
        const QueryGroups queries(rows);
        team.ForEach(queries.size(), [&](std::size_t query, int) {
            QueryState state = StateOf(queries, query);
            float* query_grad = grad + queries.begin(query);
            float* query_hess = hess + queries.begin(query);
            std::fill_n(query_grad, state.labels.size(), 0.0F);
            std::fill_n(query_hess, state.labels.size(), 0.0F);
            if (draws_pairs_) {
                const DrawStream stream(seed_, static_cast<std::uint64_t>(round), 0, DrawPurpose::kPair,
                                        rows.IdentityOf(queries.begin(query)));
                DrawnPairs(state, stream, queries.WeightOf(query) * weight_norm_, query_grad, query_hess);
            } else {
                TopPairs(state, queries.WeightOf(query), query_grad, query_hess);
            }
        });
        return {};
    }

    InterceptRule intercept_rule() const override { return InterceptRule::kNewtonStep; }
    bool needs_row_identity() const override { return draws_pairs_; }
    bool ranks_queries() const override { return true; }

  private:
    QueryState StateOf(const QueryGroups& queries, std::size_t query) const {
        QueryState state;
        state.labels = queries.LabelsOf(query);
        state.scores = queries.MarginsOf(query);
        state.ranked = RanksOf(state.scores);
        const std::size_t size = state.labels.size();
        if (target_ == Target::kNdcg) {
            const std::vector<std::uint32_t> best = RanksOf(state.labels);
            double idcg = 0;
            for (std::size_t i = 0; i < (draws_pairs_ ? size : std::min(size, kTopRanks)); ++i) {
                idcg += discounts_[i] * DcgGain(state.labels[best[i]]);
            }
            state.inverse_idcg = idcg == 0 ? 0 : 1 / idcg;
        } else if (target_ == Target::kMap) {
            double relevant = 0;
            double precision = 0;
            for (std::size_t rank = 0; rank < size; ++rank) {
                const double label =
                    draws_pairs_ ? (state.LabelAt(rank) > 0 ? 1 : 0) : static_cast<double>(state.LabelAt(rank));
                relevant += label;
                precision += (draws_pairs_ ? label * relevant : label) / static_cast<double>(rank + 1);
                state.relevant.push_back(relevant);
                state.precision.push_back(precision);
            }
        }
        return state;
    }

    /// How much the metric changes when the rows at two ranks swap places.
    double MetricChange(const QueryState& state, std::size_t high, std::size_t low) const {
        if (target_ == Target::kPairs) return 1;
        if (target_ == Target::kNdcg) {
            const double gains = DcgGain(state.LabelAt(high)) - DcgGain(state.LabelAt(low));
            return std::fabs(gains * (discounts_[high] - discounts_[low]) * state.inverse_idcg);
        }
        const std::size_t above = std::min(high, low);
        const std::size_t below = std::max(high, low);
        return draws_pairs_ ? DrawnMapChange(state, above, below) : MapChange(state, above, below);
    }

    static double MapChange(const QueryState& state, std::size_t above, std::size_t below) {
        const double total = state.relevant.back();
        const double place_above = static_cast<double>(above) + 1;
        const double place_below = static_cast<double>(below) + 1;
        const double between = state.precision[below - 1] - state.precision[above];
        if (state.LabelAt(above) < state.LabelAt(below)) {
            const double ends = state.relevant[below] / place_below - (state.relevant[above] + 1) / place_above;
            return std::fabs(ends - between) / total;
        }
        const double ends = state.relevant[above] / place_above - state.relevant[below] / place_below;
        return std::fabs(ends + between) / total;
    }

    /// The average precision with and without the swap, from first principles; 1.7 kept four running sums for this.
    static double DrawnMapChange(const QueryState& state, std::size_t above, std::size_t below) {
        const double total = state.relevant.back();
        if (total == 0) return 0;
        const auto relevant = [&](std::size_t rank) { return state.LabelAt(rank) > 0; };
        if (relevant(above) == relevant(below)) return 0;
        double before = 0;
        double after = 0;
        double hits = state.relevant[above] - (relevant(above) ? 1 : 0);
        double swapped_hits = hits;
        for (std::size_t rank = above; rank <= below; ++rank) {
            const bool now = relevant(rank);
            const bool swapped = rank == above ? relevant(below) : (rank == below ? relevant(above) : now);
            if (now) before += ++hits / static_cast<double>(rank + 1);
            if (swapped) after += ++swapped_hits / static_cast<double>(rank + 1);
        }
        return std::fabs(before - after) / total;
    }

    void TopPairs(const QueryState& state, float weight, float* grad, float* hess) const {
        const std::size_t size = state.labels.size();
        const bool spread = size > 0 && state.ScoreAt(0) != state.ScoreAt(size - 1);
        double sum_lambda = 0;
        for (std::size_t i = 0; i < std::min(kTopRanks, size); ++i) {
            for (std::size_t j = i + 1; j < size; ++j) {
                if (state.LabelAt(i) == state.LabelAt(j)) continue;
                const std::size_t high = state.LabelAt(i) > state.LabelAt(j) ? i : j;
                const std::size_t low = high == i ? j : i;
                const float margin = state.ScoreAt(high) - state.ScoreAt(low);
                double change = MetricChange(state, high, low);
                if (spread) change /= static_cast<double>(std::fabs(margin)) + 0.01;
                const auto sigmoid = static_cast<double>(model::Sigmoid(margin));
                const auto g = static_cast<float>((sigmoid - 1) * change);
                const auto h = static_cast<float>(std::max(sigmoid * (1 - sigmoid), kHessianMin) * change * 2);
                grad[state.ranked[high]] += g;
                grad[state.ranked[low]] -= g;
                hess[state.ranked[high]] += h;
                hess[state.ranked[low]] += h;
                sum_lambda += -2.0 * static_cast<double>(g);
            }
        }
        const float norm = sum_lambda > 0 ? static_cast<float>(kernels::Log2(1 + sum_lambda) / sum_lambda) : 1.0F;
        for (std::size_t row = 0; row < size; ++row) {
            grad[row] = grad[row] * norm * weight * weight_norm_;
            hess[row] = hess[row] * norm * weight * weight_norm_;
        }
    }

    /// Each row of a label with one row of another label.
    void DrawnPairs(const QueryState& state, const DrawStream& stream, float weight, float* grad, float* hess) const {
        const std::size_t size = state.labels.size();
        std::vector<float> by_rank(size);
        for (std::size_t rank = 0; rank < size; ++rank) by_rank[rank] = state.LabelAt(rank);
        const std::vector<std::uint32_t> by_label = RanksOf(by_rank);
        for (std::size_t begin = 0; begin < size;) {
            std::size_t end = begin + 1;
            while (end < size && by_rank[by_label[end]] == by_rank[by_label[begin]]) ++end;
            const std::size_t others = begin + (size - end);
            for (std::size_t i = begin; others > 0 && i < end; ++i) {
                std::size_t other = static_cast<std::size_t>(stream.Draw(i) % others);
                if (other >= begin) other += end - begin;
                const std::size_t high =
                    by_label[std::min(i, other)];  // By falling label: the smaller index is higher.
                const std::size_t low = by_label[std::max(i, other)];
                const float w = weight * static_cast<float>(MetricChange(state, high, low));
                const float p = model::Sigmoid(state.ScoreAt(high) - state.ScoreAt(low));
                const float h = 2 * w * std::max(p * (1 - p), static_cast<float>(kHessianMin));
                grad[state.ranked[high]] += (p - 1) * w;
                grad[state.ranked[low]] -= (p - 1) * w;
                hess[state.ranked[high]] += h;
                hess[state.ranked[low]] += h;
            }
            begin = end;
        }
    }

    std::string name_;
    Target target_;
    bool draws_pairs_;
    std::int64_t seed_;
    float weight_norm_ = 1;
    std::vector<double> discounts_;  ///< [ranks of the longest query]
};

}  // namespace

std::unique_ptr<Objective> MakeLambdaRank(const TrainParams& params) {
    return std::make_unique<LambdaRank>(params);
}

}  // namespace espalier::learn
