// How far two texts agree, eight bytes at a time.
// Contract: both texts are readable up to 7 bytes behind `size_max`, or behind their first difference. Thread-safe.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

#include "kernels/text_number.h"

namespace espalier::kernels {

/// Length of the common beginning of `a` and `b`, at most size_max.
inline std::size_t MatchLength(const char* a, const char* b, std::size_t size_max) {
    for (std::size_t at = 0; at < size_max; at += 8) {
        const std::uint64_t difference = Load8(a + at) ^ Load8(b + at);
        if (difference != 0) {
            return std::min(size_max, at + static_cast<std::size_t>(std::countr_zero(difference)) / 8);
        }
    }
    return size_max;
}

}  // namespace espalier::kernels
