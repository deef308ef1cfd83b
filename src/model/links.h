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

/// 1 / (1 + e^-margin). The bounds keep e^-margin finite, as in XGBoost.
inline float Sigmoid(float margin) {
    constexpr float kMarginMin = -88.7F;
    constexpr float kEpsilon = 1e-16F;
    float minus = -margin < -kMarginMin ? -margin : -kMarginMin;
    float denominator = kernels::Exp(minus) + 1.0F + kEpsilon;
    return 1.0F / denominator;
}

/// Margins of one row [groups] to probabilities, in place. Not empty.
void Softmax(std::span<float> margins);

/// Index of the largest value; the first of equal ones. Not empty.
std::size_t ArgMax(std::span<const float> margins);

/// What is added to the sum of leaves, one value per group: base_score through the inverse of the objective's link
/// (multi:* store margins already; gblinear has one for all groups). Logistic scores are kept within [1e-6, 1 - 1e-6].
/// kInvalidArgument for an objective this build cannot apply.
Result<std::vector<float>> BaseMargins(const TreeEnsemble& ensemble);

}  // namespace espalier::model
