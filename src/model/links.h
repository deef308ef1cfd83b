// Link functions: from margins (the sum of leaves) to probabilities and classes, and from base_score to margins.
//
// The order of every float operation is fixed and exp is our own (kernels/float_math.h): a reply is the same bytes on
// every machine, and within one unit in the last place of stock XGBoost's (tests/parity/test_predict.py).
// Source: contracts/xgboost.md 4.1, 4.2 (xgboost/src/common/math.h, src/objective/*). Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernels/float_math.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

/// -margin, bounded so that its exponential is finite, as in XGBoost.
inline float NegatedForSigmoid(float margin) {
    constexpr float kMost = 88.7F;
    return -margin < kMost ? -margin : kMost;
}
inline float SigmoidOfExp(float exp_of_negated) {
    constexpr float kEpsilon = 1e-16F;
    return 1.0F / (exp_of_negated + 1.0F + kEpsilon);
}

/// 1 / (1 + e^-margin).
inline float Sigmoid(float margin) {
    return SigmoidOfExp(kernels::Exp(NegatedForSigmoid(margin)));
}

/// out[i] = Sigmoid(margins[i]), several at a time. In and out may be the same array.
void SigmoidOfEach(const float* margins, std::size_t size, float* out);

/// Margins of one row [groups] to probabilities, in place. Not empty.
void Softmax(std::span<float> margins);

/// Index of the largest value; the first of equal ones. Not empty.
std::size_t ArgMax(std::span<const float> margins);

/// What is added to the sum of leaves, one value per group: base_score through the inverse of the objective's link
/// (multi:* store margins already; gblinear has one for all groups). Logistic scores are kept within [1e-6, 1 - 1e-6].
/// kInvalidArgument for an objective this build cannot apply.
Result<std::vector<float>> BaseMargins(const TreeEnsemble& ensemble);

}  // namespace espalier::model
