// Split scan: the best split of one feature from its histogram, by XGBoost's mathematics.
//
// Forward over the bins (missing right, threshold = upper bound of the bin), then, only when values are missing in the
// node, backward (missing left, threshold = lower bound). A later candidate replaces only if its loss change is
// strictly greater. Sums are exact integers times a unit that is a power of two; gains are computed from them in
// double, divided in float and compared in float, exactly as xgboost 3.2 does (tree/split_evaluator.h,
// tree/hist/evaluate_splits.h; contracts/xgboost.md 4.3, 4.5). Pinned by split_scan_test.cc (brute force) and
// tests/parity/test_train.py.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gradient_pair.h"

namespace espalier::kernels {

struct GainParams {
    float lambda = 1;
    float alpha = 0;
    float max_delta_step = 0;  ///< 0: no limit
    float min_child_weight = 1;
    double grad_unit = 1;  ///< what an integer gradient sum of 1 means; a power of two
    double hess_unit = 1;
    float loss_change_floor = 0;  ///< splits that do not change the loss by more are of no interest
};

/// The gradient as far as alpha leaves it (soft threshold).
double ShrunkGradient(double sum_grad, float alpha);

/// Optimal weight of a node before the learning rate; 0 when the hessian is below min_child_weight or not positive.
float NodeWeight(const GainParams& params, double sum_grad, double sum_hess);
/// The same before it is rounded.
double UnroundedWeight(const GainParams& params, double sum_grad, double sum_hess);

/// Gain of a node taken alone.
float NodeGain(const GainParams& params, double sum_grad, double sum_hess);

/// Loss change of the split whose left side sums to `left`; 0 when a side is too light.
float SplitLossChange(const GainParams& params, const WidePair& total, float node_gain, const WidePair& left);

/// Which ways a feature is scanned.
enum class ScanKind : std::uint8_t {
    kHist,      ///< forward, and backward if values are missing in the node
    kBothWays,  ///< exact, a feature with missing values anywhere
    kBackward,  ///< exact, a feature without: missing values will go left
};

/// The best split found so far.
struct SplitCandidate {
    float loss_change = 0;
    std::uint32_t feature = 0;
    std::int32_t bin = 0;  ///< rows of bins <= bin go left; -1: no bin does, only missing
    /// exact: `bin` and next_bin are neighbours among the bins that are not empty; num_bins: there is none above.
    std::int32_t next_bin = 0;
    bool default_left = false;
    bool is_categorical = false;  ///< a set of categories goes right; see category_scan.h
    WidePair left;                ///< sums of the rows that go left, missing ones included if they do

    bool found() const { return loss_change > 0; }
    /// True when `other` is better by XGBoost's rule: greater loss change, then the lower feature.
    bool IsBeatenBy(const SplitCandidate& other) const {
        return other.loss_change > loss_change ||
               (other.loss_change == loss_change && other.found() && other.feature < feature);
    }
};

/// bins [num_bins]: the feature's sums in the node, without missing. `total`: the node's. `node_gain`: NodeGain of it.
/// Updates `best` if a split of `feature` beats it and the floor. False when no split has two sides of
/// min_child_weight: then none of any part of the node has.
template <typename Pair>
bool ScanFeature(const GainParams& params, const Pair* bins, std::size_t num_bins, WidePair total, float node_gain,
                 std::uint32_t feature, SplitCandidate& best, ScanKind kind = ScanKind::kHist);

/// The readable oracle.
template <typename Pair>
void ScanFeatureScalar(const GainParams& params, const Pair* bins, std::size_t num_bins, WidePair total,
                       float node_gain, std::uint32_t feature, SplitCandidate& best, ScanKind kind = ScanKind::kHist);

/// For exact: `bin` becomes the last bin of the left side that is not empty, next_bin the first of the right.
template <typename Pair>
void FindNeighbours(const Pair* bins, std::size_t num_bins, SplitCandidate& candidate) {
    const auto end = static_cast<std::int32_t>(num_bins);
    candidate.next_bin = candidate.bin + 1;
    while (candidate.bin >= 0 && bins[candidate.bin] == Pair{}) --candidate.bin;
    while (candidate.next_bin < end && bins[candidate.next_bin] == Pair{}) ++candidate.next_bin;
}

}  // namespace espalier::kernels
