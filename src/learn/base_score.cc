#include "learn/base_score.h"

#include <algorithm>

#include "kernels/float_math.h"
#include "learn/exact_sum.h"

namespace espalier::learn {

namespace {

// xgboost keeps an estimated probability away from 0 and 1 by kRtEps.
constexpr float kProbabilityMargin = 1e-6F;

double WeightOf(const RowsView& rows, std::size_t row) {
    return rows.weights != nullptr ? static_cast<double>(rows.weights[row]) : 1.0;
}

Result<std::vector<float>> ClassIntercepts(int num_class, const RowsView& rows, std::uint64_t total_rows,
                                           WorkerTeam& team, collective::Comm& comm) {
    const auto num_groups = static_cast<std::size_t>(num_class);
    std::vector<std::vector<double>> weights(num_groups);
    for (std::size_t r = 0; r < rows.num_rows; ++r) {
        weights[static_cast<std::size_t>(rows.labels[r])].push_back(WeightOf(rows, r));
    }
    const std::vector<std::span<const double>> series(weights.begin(), weights.end());
    const std::vector<double> sums = TRY(ExactSums(series, total_rows, team, comm));
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

}  // namespace

Result<std::vector<float>> FindBaseScore(const TrainParams& params, const Objective& objective, const RowsView& rows,
                                         std::uint64_t total_rows, WorkerTeam& team, collective::Comm& comm) {
    if (params.base_score.has_value()) {
        TRY(objective.CheckBaseScore(*params.base_score));
        return std::vector<float>{*params.base_score};
    }
    const bool multi = params.num_class > 1;
    if (params.base_score_rule == BaseScoreRule::kHalf ||
        (multi && params.base_score_rule == BaseScoreRule::kEstimated)) {
        return std::vector<float>{0.5F};
    }
    if (multi) return ClassIntercepts(params.num_class, rows, total_rows, team, comm);

    std::vector<double> above(rows.num_rows);
    std::vector<double> below(rows.num_rows);
    if (objective.InterceptIsLabelMean()) {
        for (std::size_t r = 0; r < rows.num_rows; ++r) {
            below[r] = WeightOf(rows, r);
            above[r] = static_cast<double>(rows.labels[r]) * below[r];
        }
    } else {
        const std::vector<float> zeros(rows.num_rows, 0.0F);
        std::vector<float> grad(rows.num_rows);
        std::vector<float> hess(rows.num_rows);
        RowsView at_zero = rows;
        at_zero.margins = zeros.data();
        objective.Gradients(at_zero, 0, rows.num_rows, grad.data(), hess.data());
        std::transform(grad.begin(), grad.end(), above.begin(), [](float g) { return -static_cast<double>(g); });
        std::copy(hess.begin(), hess.end(), below.begin());
    }
    const std::vector<std::span<const double>> series = {above, below};
    const std::vector<double> sums = TRY(ExactSums(series, total_rows, team, comm));
    if (!(sums[1] > 0)) {
        return Error(ErrorCode::kInvalidArgument, "all rows of the training data have weight 0");
    }
    float score = static_cast<float>(sums[0] / sums[1]);
    if (!objective.InterceptIsLabelMean()) score = objective.OutputOf(score);
    if (!objective.CheckBaseScore(score).has_value()) {
        score = std::clamp(score, kProbabilityMargin, 1.0F - kProbabilityMargin);
    }
    return std::vector<float>{score};
}

}  // namespace espalier::learn
