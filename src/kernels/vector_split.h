// Split scan for trees that predict several targets at once (vector leaves): the best split of one feature when a node
// has a sum of gradients per target.
//
// A split's gain is the sum of its targets' gains, each by the weight of the target alone; min_child_weight bars a
// side's weight, not the split. Forward over the bins (missing right), then, when values are missing in the node,
// backward (missing left); a later candidate replaces only if its loss change, in float, is strictly greater.
// Weights in float, gains in double, as xgboost 3.2 (tree/hist/evaluate_splits.h, HistMultiEvaluator). Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/split_scan.h"

namespace espalier::kernels {

/// The best split found so far; its sums are per target, SplitCandidate::left is unused.
struct VectorCandidate {
    SplitCandidate split;
    std::vector<WidePair> left;  ///< [targets] rows that go left, missing ones included if they do
};

/// Gain of a node or side with `sums` [targets]; gains [targets] hold each target's units.
double VectorGain(std::span<const GainParams> gains, const WidePair* sums);

/// bins: the feature's sums, target t's from bins[t * stride] on, without missing. total [targets]: the node's;
/// node_gain: VectorGain of it. Updates `best`, which is of features up to this one.
void ScanVectorFeature(std::span<const GainParams> gains, const WidePair* bins, std::size_t stride,
                       std::size_t num_bins, const WidePair* total, double node_gain, std::uint32_t feature,
                       VectorCandidate& best);

}  // namespace espalier::kernels
