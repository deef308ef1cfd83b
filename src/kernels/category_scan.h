// The best split of a categorical feature from its histogram: which set of categories goes right.
//
// Few categories (fewer than max_to_onehot) are tried one against the rest, missing values on either side. More are
// sorted by the weight each would have as a leaf, and parted at one place of that order: forward with missing values
// left, backward with missing values right, over at most max_threshold categories from either end.
// Source: xgboost tree/hist/evaluate_splits.h, EnumerateOneHot and EnumeratePart. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/split_scan.h"
#include "kernels/weight_bounds.h"

namespace espalier::kernels {

struct CategoryRules {
    int max_to_onehot = 4;
    int max_threshold = 64;
};

/// bins [num_bins]: sums of the categories 0 … num_bins-1 in the node, without missing. bounds: null for a training
/// without monotone constraints. Updates `best`, and `right` with the categories that go right, rising, if a split of
/// `feature` beats it and the floor.
template <typename Pair>
void ScanCategories(const GainParams& params, const WeightBounds* bounds, int sign, const CategoryRules& rules,
                    const Pair* bins, std::size_t num_bins, WidePair total, float node_gain, std::uint32_t feature,
                    SplitCandidate& best, std::vector<std::uint32_t>& right);

}  // namespace espalier::kernels
