// Where exact split finding puts a threshold (contracts/xgboost.md 4.4). A row goes left iff its value is smaller.
// Pure functions.
#pragma once

#include <cmath>

namespace espalier::learn {

/// Between two neighbouring values, low < high; their mean, unless rounding or overflow takes it out of (low, high].
inline float ThresholdBetween(float low, float high) {
    const float middle = (low + high) * 0.5F;
    return middle > low && middle <= high ? middle : high;
}

/// Above, or not above, every present value.
inline float ThresholdAbove(float highest) {
    return highest + (std::fabs(highest) + 1e-6F);
}
inline float ThresholdBelow(float lowest) {
    return lowest - (std::fabs(lowest) + 1e-6F);
}

}  // namespace espalier::learn
