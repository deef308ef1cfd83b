// Conditions of other libraries as XGBoost's `value < condition` on floats.
// Internal to model/. Thread-safe: pure functions.
#pragma once

#include <cmath>
#include <limits>

namespace espalier::model {

/// The float c with (x <= limit) == (x < c) for every finite float x.
inline float JustAbove(double limit) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    if (limit >= static_cast<double>(std::numeric_limits<float>::max())) return kInfinity;
    if (limit < -static_cast<double>(std::numeric_limits<float>::max())) return -kInfinity;
    auto nearest = static_cast<float>(limit);
    return static_cast<double>(nearest) > limit ? nearest : std::nextafterf(nearest, kInfinity);
}

}  // namespace espalier::model
