#include "kernels/vector_split.h"

#include <algorithm>
#include <cmath>

namespace espalier::kernels {

namespace {

/// Both sides of the split under the scanner.
struct Sides {
    explicit Sides(std::size_t num_targets) : seen(num_targets), rest(num_targets) {}
    std::vector<WidePair> seen;
    std::vector<WidePair> rest;
};

void Consider(std::span<const GainParams> gains, double node_gain, const Sides& sides, const SplitCandidate& at,
              VectorCandidate& best) {
    const double gain = VectorGain(gains, sides.rest.data()) + VectorGain(gains, sides.seen.data());
    const auto loss_change = static_cast<float>(gain - node_gain);
    if (std::isinf(loss_change) || !(loss_change > best.split.loss_change)) return;
    best.split = at;
    best.split.loss_change = loss_change;
    best.left = at.default_left ? sides.rest : sides.seen;
}

}  // namespace

double VectorGain(std::span<const GainParams> gains, const WidePair* sums) {
    double gain = 0;
    for (std::size_t target = 0; target < gains.size(); ++target) {
        const GainParams& params = gains[target];
        const double grad = static_cast<double>(sums[target].g) * params.grad_unit;
        const double hess = static_cast<double>(sums[target].h) * params.hess_unit;
        const float weight = NodeWeight(params, grad, hess);
        gain += static_cast<double>(-weight) * ShrunkGradient(grad, params.alpha);
    }
    return gain;
}

void ScanVectorFeature(std::span<const GainParams> gains, const WidePair* bins, std::size_t stride,
                       std::size_t num_bins, const WidePair* total, double node_gain, std::uint32_t feature,
                       VectorCandidate& best) {
    const std::size_t num_targets = gains.size();
    Sides sides(num_targets);
    const auto take = [&](std::size_t bin) {
        for (std::size_t target = 0; target < num_targets; ++target) {
            sides.seen[target] += bins[target * stride + bin];
            sides.rest[target] = total[target];
            sides.rest[target] -= sides.seen[target];
        }
    };
    SplitCandidate at;
    at.feature = feature;
    for (std::size_t bin = 0; bin < num_bins; ++bin) {
        take(bin);
        at.bin = static_cast<std::int32_t>(bin);
        Consider(gains, node_gain, sides, at, best);
    }
    if (std::equal(sides.seen.begin(), sides.seen.end(), total)) return;  // Nothing is missing.
    std::fill(sides.seen.begin(), sides.seen.end(), WidePair{});
    at.default_left = true;
    for (std::size_t bin = num_bins; bin-- > 0;) {
        take(bin);
        at.bin = static_cast<std::int32_t>(bin) - 1;
        Consider(gains, node_gain, sides, at, best);
    }
}

}  // namespace espalier::kernels
