#include "learn/base_score.h"

#include <algorithm>

#include "kernels/float_math.h"
#include "learn/exact_quantile.h"
#include "learn/exact_sum.h"
#include "model/objective_table.h"

namespace espalier::learn {

namespace {

// xgboost keeps an estimated probability away from 0 and 1 by kRtEps.
constexpr float kProbabilityMargin = 1e-6F;

Result<std::vector<float>> ClassIntercepts(int num_class, const RowsView& rows, WorkerTeam& team,
                                           collective::Comm& comm) {
    const auto num_groups = static_cast<std::size_t>(num_class);
    std::vector<std::vector<double>> weights(num_groups);
    for (std::size_t r = 0; r < rows.num_rows; ++r) {
        weights[static_cast<std::size_t>(rows.labels[r])].push_back(static_cast<double>(rows.WeightOf(r)));
    }
    const std::vector<std::span<const double>> series(weights.begin(), weights.end());
    const std::vector<double> sums = TRY(ExactSums(series, rows.total_rows, team, comm));
    double total = 0;
    for (const double sum : sums) total += sum;
    std::vector<float> logs;
    double mean = 0;
    for (const double sum : sums) {
        const float share = std::max(static_cast<float>(sum / total), kProbabilityMargin);
        logs.push_back(kernels::Log(share));
        mean += static_cast<double>(logs.back()) / static_cast<double>(num_groups);
    }
    for (float& value : logs) value -= static_cast<float>(mean);
    return logs;
}

Result<std::vector<float>> QuantileIntercepts(const TrainParams& params, const Objective& objective,
                                              const RowsView& rows, bool weighted, WorkerTeam& team,
                                              collective::Comm& comm) {
    std::vector<QuantileSample> samples(static_cast<std::size_t>(params.num_groups()));
    for (std::size_t group = 0; group < samples.size(); ++group) {
        samples[group].alpha = objective.LeafQuantile(group).value();
        samples[group].values.assign(rows.labels, rows.labels + rows.num_rows);
        for (std::size_t r = 0; weighted && r < rows.num_rows; ++r) samples[group].weights.push_back(rows.WeightOf(r));
    }
    return ExactQuantiles(samples, weighted, rows.total_rows, team, comm);
}

/// The weighted mean of the labels, or one Newton step from margin 0.
Result<float> SingleIntercept(const Objective& objective, const RowsView& rows, WorkerTeam& team,
                              collective::Comm& comm) {
    // xgboost divides by a hessian no smaller than this.
    constexpr double kHessianMin = 1e-6;
    const bool is_mean = objective.intercept_rule() == InterceptRule::kLabelMean;
    std::vector<double> above(rows.num_rows);
    std::vector<double> below(rows.num_rows);
    if (is_mean) {
        for (std::size_t r = 0; r < rows.num_rows; ++r) {
            below[r] = static_cast<double>(rows.WeightOf(r));
            above[r] = static_cast<double>(rows.labels[r]) * below[r];
        }
    } else {
        const std::vector<float> zeros(rows.num_rows, 0.0F);
        std::vector<float> grad(rows.num_rows);
        std::vector<float> hess(rows.num_rows);
        RowsView at_zero = rows;
        at_zero.margins = zeros.data();
        TRY(objective.Gradients(at_zero, 0, team, comm, grad.data(), hess.data()));
        std::transform(grad.begin(), grad.end(), above.begin(), [](float g) { return -static_cast<double>(g); });
        std::copy(hess.begin(), hess.end(), below.begin());
    }
    const std::vector<std::span<const double>> series = {above, below};
    const std::vector<double> sums = TRY(ExactSums(series, rows.total_rows, team, comm));
    if (is_mean && !(sums[1] > 0)) {
        return Error(ErrorCode::kInvalidArgument, "all rows of the training data have weight 0");
    }
    const auto score = static_cast<float>(sums[0] / (is_mean ? sums[1] : std::max(sums[1], kHessianMin)));
    return is_mean ? score : objective.OutputOf(score);
}

}  // namespace

Result<std::vector<float>> FindBaseScore(const TrainParams& params, const Objective& objective, const RowsView& rows,
                                         bool weighted, WorkerTeam& team, collective::Comm& comm) {
    if (params.base_score.has_value()) {
        TRY(objective.CheckBaseScore(*params.base_score));
        return std::vector<float>{*params.base_score};
    }
    const InterceptRule rule = objective.intercept_rule();
    if (params.base_score_rule == BaseScoreRule::kHalf || rule == InterceptRule::kHalf ||
        (rule == InterceptRule::kClassShares && params.base_score_rule == BaseScoreRule::kEstimated)) {
        return std::vector<float>{0.5F};
    }
    if (rule == InterceptRule::kClassShares) return ClassIntercepts(params.num_class, rows, team, comm);
    if (rule == InterceptRule::kLabelQuantiles) {
        return QuantileIntercepts(params, objective, rows, weighted, team, comm);
    }
    float score = TRY(SingleIntercept(objective, rows, team, comm));
    const model::ObjectiveInfo* info = model::FindObjective(objective.name());
    if (info != nullptr && info->link == model::Link::kSigmoid) {
        score = std::clamp(score, kProbabilityMargin, 1.0F - kProbabilityMargin);
    }
    return std::vector<float>{score};
}

}  // namespace espalier::learn
