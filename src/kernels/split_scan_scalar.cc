#include <cmath>

#include "kernels/scan_bins.h"

namespace espalier::kernels {

double ShrunkGradient(double sum_grad, float alpha) {
    if (sum_grad > alpha) return sum_grad - alpha;
    if (sum_grad < -alpha) return sum_grad + alpha;
    return 0.0;
}

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

double UnroundedWeight(const GainParams& params, double sum_grad, double sum_hess) {
    if (sum_hess < params.min_child_weight || sum_hess <= 0.0) return 0;
    double weight = -ShrunkGradient(sum_grad, params.alpha) / (sum_hess + params.lambda);
    if (params.max_delta_step != 0 && std::fabs(weight) > params.max_delta_step) {
        weight = std::copysign(static_cast<double>(params.max_delta_step), weight);
    }
    return weight;
}

float NodeWeight(const GainParams& params, double sum_grad, double sum_hess) {
    return static_cast<float>(UnroundedWeight(params, sum_grad, sum_hess));
}

float NodeGain(const GainParams& params, double sum_grad, double sum_hess) {
    if (sum_hess <= 0.0) return 0;
    if (params.max_delta_step == 0) {
        const double shrunk = ShrunkGradient(sum_grad, params.alpha);
        return static_cast<float>(shrunk * shrunk) / static_cast<float>(sum_hess + params.lambda);
    }
    const float weight = NodeWeight(params, sum_grad, sum_hess);
    const auto grad = static_cast<float>(sum_grad);
    const auto hess = static_cast<float>(sum_hess);
    return -(2.0F * grad * weight + (hess + params.lambda) * (weight * weight));
}

template <typename Pair>
void ScanFeatureScalar(const GainParams& params, const Pair* bins, std::size_t num_bins, WidePair total,
                       float node_gain, std::uint32_t feature, SplitCandidate& best, ScanKind kind) {
    ScanBins(
        kind, bins, num_bins, total, feature, params.loss_change_floor,
        [&](const WidePair& left) { return SplitLossChange(params, total, node_gain, left); }, best);
}

template void ScanFeatureScalar(const GainParams&, const PackedPair*, std::size_t, WidePair, float, std::uint32_t,
                                SplitCandidate&, ScanKind);
template void ScanFeatureScalar(const GainParams&, const WidePair*, std::size_t, WidePair, float, std::uint32_t,
                                SplitCandidate&, ScanKind);

}  // namespace espalier::kernels
