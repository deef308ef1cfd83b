// The two kinds of histogram cell: exact integer sums of quantised gradients.
//
// PackedPair: g in the high 32 bits (signed), h in the low 32 (not negative), in one int64. Adding two packed pairs
// adds both halves as long as |sum g| < 2^31 and sum h < 2^32, which the quantiser proves for all rows of all ranks
// before a tree is grown. 8 bytes per cell, one addition per listed value. WidePair: two int64, for small data (where
// it costs nothing and gives all the precision floats have) and for data so large that 32 bits would leave a row too
// few.
#pragma once

#include <cstdint>

namespace espalier::kernels {

using PackedPair = std::int64_t;

struct WidePair {
    std::int64_t g = 0;
    std::int64_t h = 0;
    WidePair& operator+=(const WidePair& other) {
        g += other.g;
        h += other.h;
        return *this;
    }
    WidePair& operator-=(const WidePair& other) {
        g -= other.g;
        h -= other.h;
        return *this;
    }
    friend bool operator==(const WidePair&, const WidePair&) = default;
};
static_assert(sizeof(WidePair) == 16);

inline PackedPair Pack(std::int64_t g, std::int64_t h) {
    return (g << 32) + h;
}
inline std::int64_t SumG(PackedPair pair) {
    return pair >> 32;
}
inline std::int64_t SumH(PackedPair pair) {
    return pair & 0xFFFF'FFFF;
}
inline std::int64_t SumG(const WidePair& pair) {
    return pair.g;
}
inline std::int64_t SumH(const WidePair& pair) {
    return pair.h;
}

}  // namespace espalier::kernels
