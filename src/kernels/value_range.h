// What the values of one column are: their range, and how many are 0 or missing.
//
// About 0.3 ns a value in the first cache. Oracle and sizes: value_range_test.cc. Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace espalier::kernels {

struct ValueRange {
    float lowest = std::numeric_limits<float>::infinity();  ///< of all that are not missing
    float highest = -std::numeric_limits<float>::infinity();
    std::uint32_t num_zeros = 0;
    std::uint32_t num_missing = 0;

    bool operator==(const ValueRange&) const = default;
};

/// NaN is missing. At most 2^31 values.
ValueRange RangeOf(std::span<const float> values);

}  // namespace espalier::kernels
