// The loss of the accelerated failure time model, shared by survival:aft and aft-nloglik.
//
// Nouns: bounds (the time lies in [lower, upper]; equal: an event was seen; upper infinite: censored on the right),
// noise (distribution of the logarithm of time around the margin), sigma (its scale).
// Labels: lower bounds, when there are upper ones beside them (0: censored on the left). Else y > 0 is an event at y,
// y < 0 is a row censored at |y|, as for survival:cox; the images pass no bounds, so upstream cannot train this
// objective at all. Source: contracts/xgboost.md 4.1, xgboost common/survival_util.h,
// Barnwal, Cho and Hocking 2020. Pure functions.
#pragma once

#include <string_view>

#include "learn/rows_view.h"

namespace espalier::learn {

enum class NoiseDistribution { kNormal, kLogistic, kExtreme };

/// "normal", "logistic", "extreme"; anything else is normal, which the hyperparameter's rule rules out.
NoiseDistribution NoiseDistributionOf(std::string_view name);

struct TimeBounds {
    double lower = 0;
    double upper = 0;
};

TimeBounds BoundsOf(const RowsView& rows, std::size_t row);

/// Negative logarithm of the likelihood; finite.
double AftLoss(NoiseDistribution noise, TimeBounds bounds, double margin, double sigma);

struct AftDerivatives {
    double grad = 0;  ///< within [-15, 15]
    double hess = 0;  ///< within [1e-16, 15]
};

AftDerivatives AftDerivativesOf(NoiseDistribution noise, TimeBounds bounds, double margin, double sigma);

}  // namespace espalier::learn
