// Weights of nodes under monotone constraints, and the split scan that respects them.
//
// A feature's sign says how the prediction may move when the feature's value grows: +1 never down, -1 never up, 0
// either way. Each node has bounds for its weight; a split on a signed feature puts the mean of its children's weights
// between them. Gains are computed from the bounded weights, also for features without a sign, so trees under
// constraints differ in the last bits from those without: that is xgboost's way (tree/split_evaluator.h,
// contracts/xgboost.md 4.3). Kept apart from split_scan.h, so that unconstrained training pays nothing. Pure functions.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/split_scan.h"

namespace espalier::kernels {

struct WeightBounds {
    float low = -std::numeric_limits<float>::infinity();
    float high = std::numeric_limits<float>::infinity();
};

/// Bounds of both children of a split.
struct ChildBounds {
    WeightBounds left;
    WeightBounds right;
};

/// NodeWeight within the bounds.
float BoundedWeight(const GainParams& params, const WeightBounds& bounds, double sum_grad, double sum_hess);

/// Gain of a node taken alone when its weight is bounded.
float BoundedGain(const GainParams& params, const WeightBounds& bounds, double sum_grad, double sum_hess);

/// The bounds of the children of a node with `bounds`, split on a feature of `sign` into these weights.
ChildBounds BoundsBelow(const WeightBounds& bounds, int sign, float left_weight, float right_weight);

/// ScanFeature for a node with bounds and a feature of `sign`; node_gain is the node's BoundedGain.
template <typename Pair>
void ScanFeatureBounded(const GainParams& params, const WeightBounds& bounds, int sign, const Pair* bins,
                        std::size_t num_bins, WidePair total, float node_gain, std::uint32_t feature,
                        SplitCandidate& best, ScanKind kind = ScanKind::kHist);

/// Loss change of a split within bounds; 0 when a side is too light or the order of the weights is against `sign`.
float BoundedLossChange(const GainParams& params, const WeightBounds& bounds, int sign, const WidePair& total,
                        float node_gain, const WidePair& left);

}  // namespace espalier::kernels
