#include <cmath>

#include "kernels/split_scan.h"

namespace espalier::kernels {

namespace {

double SoftThreshold(double sum_grad, float alpha) {
    if (sum_grad > alpha) return sum_grad - alpha;
    if (sum_grad < -alpha) return sum_grad + alpha;
    return 0.0;
}

}  // namespace

float SplitLossChange(const GainParams& params, const WidePair& total, float node_gain, const WidePair& left) {
    const double hess_left = static_cast<double>(left.h) * params.hess_unit;
    const double hess_right = static_cast<double>(total.h - left.h) * params.hess_unit;
    if (!(hess_left >= params.min_child_weight && hess_right >= params.min_child_weight)) return 0;
    const double grad_left = static_cast<double>(left.g) * params.grad_unit;
    const double grad_right = static_cast<double>(total.g - left.g) * params.grad_unit;
    const float gain = NodeGain(params, grad_left, hess_left) + NodeGain(params, grad_right, hess_right);
    const float loss_change = gain - node_gain;
    return std::isinf(loss_change) ? 0 : loss_change;
}

float NodeWeight(const GainParams& params, double sum_grad, double sum_hess) {
    if (sum_hess < params.min_child_weight || sum_hess <= 0.0) return 0;
    double weight = -SoftThreshold(sum_grad, params.alpha) / (sum_hess + params.lambda);
    if (params.max_delta_step != 0 && std::fabs(weight) > params.max_delta_step) {
        weight = std::copysign(params.max_delta_step, weight);
    }
    return static_cast<float>(weight);
}

float NodeGain(const GainParams& params, double sum_grad, double sum_hess) {
    if (sum_hess <= 0.0) return 0;
    if (params.max_delta_step == 0) {
        const double shrunk = SoftThreshold(sum_grad, params.alpha);
        return static_cast<float>(shrunk * shrunk) / static_cast<float>(sum_hess + params.lambda);
    }
    const float weight = NodeWeight(params, sum_grad, sum_hess);
    const auto grad = static_cast<float>(sum_grad);
    const auto hess = static_cast<float>(sum_hess);
    return -(2.0F * grad * weight + (hess + params.lambda) * (weight * weight));
}

template <typename Pair>
void ScanFeatureScalar(const GainParams& params, const Pair* bins, std::size_t num_bins, WidePair total,
                       float node_gain, std::uint32_t feature, SplitCandidate& best) {
    SplitCandidate mine;
    mine.feature = feature;
    mine.loss_change = params.loss_change_floor;
    WidePair left;
    for (std::size_t bin = 0; bin < num_bins; ++bin) {
        left.g += SumG(bins[bin]);
        left.h += SumH(bins[bin]);
        const float loss_change = SplitLossChange(params, total, node_gain, left);
        if (loss_change > mine.loss_change) {
            mine.loss_change = loss_change;
            mine.bin = static_cast<std::int32_t>(bin);
            mine.left = left;
        }
    }
    if (!(left == total)) {
        // `left` becomes everything but the bins from `bin` on.
        left = total;
        for (std::size_t bin = num_bins; bin-- > 0;) {
            left.g -= SumG(bins[bin]);
            left.h -= SumH(bins[bin]);
            const float loss_change = SplitLossChange(params, total, node_gain, left);
            if (loss_change > mine.loss_change) {
                mine.loss_change = loss_change;
                mine.bin = static_cast<std::int32_t>(bin) - 1;
                mine.left = left;
                mine.default_left = true;
            }
        }
    }
    if (mine.loss_change > params.loss_change_floor && best.IsBeatenBy(mine)) best = mine;
}

template void ScanFeatureScalar(const GainParams&, const PackedPair*, std::size_t, WidePair, float, std::uint32_t,
                                SplitCandidate&);
template void ScanFeatureScalar(const GainParams&, const WidePair*, std::size_t, WidePair, float, std::uint32_t,
                                SplitCandidate&);

}  // namespace espalier::kernels
