#include "kernels/weight_bounds.h"

#include <cmath>

#include "kernels/scan_bins.h"

namespace espalier::kernels {

namespace {

float GainOfWeight(const GainParams& params, double sum_grad, double sum_hess, float weight) {
    if (sum_hess <= 0.0) return 0;
    const auto grad = static_cast<float>(sum_grad);
    const auto hess = static_cast<float>(sum_hess);
    return -(2.0F * grad * weight + (hess + params.lambda) * (weight * weight));
}

}  // namespace

float BoundedWeight(const GainParams& params, const WeightBounds& bounds, double sum_grad, double sum_hess) {
    const float weight = NodeWeight(params, sum_grad, sum_hess);
    if (weight < bounds.low) return bounds.low;
    return weight > bounds.high ? bounds.high : weight;
}

float BoundedGain(const GainParams& params, const WeightBounds& bounds, double sum_grad, double sum_hess) {
    return GainOfWeight(params, sum_grad, sum_hess, BoundedWeight(params, bounds, sum_grad, sum_hess));
}

ChildBounds BoundsBelow(const WeightBounds& bounds, int sign, float left_weight, float right_weight) {
    ChildBounds below{bounds, bounds};
    const float middle = (left_weight + right_weight) / 2;
    if (sign < 0) {
        below.left.low = middle;
        below.right.high = middle;
    } else if (sign > 0) {
        below.left.high = middle;
        below.right.low = middle;
    }
    return below;
}

float BoundedLossChange(const GainParams& params, const WeightBounds& bounds, int sign, const WidePair& total,
                        float node_gain, const WidePair& left) {
    const double hess_left = static_cast<double>(left.h) * params.hess_unit;
    const double hess_right = static_cast<double>(total.h - left.h) * params.hess_unit;
    if (!(hess_left >= params.min_child_weight && hess_right >= params.min_child_weight)) return 0;
    const double grad_left = static_cast<double>(left.g) * params.grad_unit;
    const double grad_right = static_cast<double>(total.g - left.g) * params.grad_unit;
    const float weight_left = BoundedWeight(params, bounds, grad_left, hess_left);
    const float weight_right = BoundedWeight(params, bounds, grad_right, hess_right);
    if (sign > 0 ? weight_left > weight_right : sign < 0 && weight_left < weight_right) return 0;
    const float gain = GainOfWeight(params, grad_left, hess_left, weight_left) +
                       GainOfWeight(params, grad_right, hess_right, weight_right);
    const float loss_change = gain - node_gain;
    return std::isinf(loss_change) ? 0 : loss_change;
}

template <typename Pair>
void ScanFeatureBounded(const GainParams& params, const WeightBounds& bounds, int sign, const Pair* bins,
                        std::size_t num_bins, WidePair total, float node_gain, std::uint32_t feature,
                        SplitCandidate& best, ScanKind kind) {
    ScanBins(
        kind, bins, num_bins, total, feature, params.loss_change_floor,
        [&](const WidePair& left) { return BoundedLossChange(params, bounds, sign, total, node_gain, left); }, best);
}

template void ScanFeatureBounded(const GainParams&, const WeightBounds&, int, const PackedPair*, std::size_t, WidePair,
                                 float, std::uint32_t, SplitCandidate&, ScanKind);
template void ScanFeatureBounded(const GainParams&, const WeightBounds&, int, const WidePair*, std::size_t, WidePair,
                                 float, std::uint32_t, SplitCandidate&, ScanKind);

}  // namespace espalier::kernels
