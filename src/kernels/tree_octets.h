// Walking eight complete trees at once down one row.
//
// Layout of an octet of depth d, a lane per tree: conditions and columns [2^d - 1 nodes][8], leaves [2^d][8]. The
// children of node n are 2 n + 1 and 2 n + 2. A row goes left iff value < condition, or its value is NaN and the
// column's top bit is set. Three loads a level and lane are all the work; several octets are walked together to hide
// each other's latency. Oracle: tree_octets_test.cc. Thread-safe: a pure function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace espalier::kernels {

inline constexpr std::size_t kOctet = 8;
inline constexpr std::uint32_t kMissingGoesLeft = 0x8000'0000U;

/// Octets of one depth, one behind the other.
struct TreeOctets {
    int depth = 0;  ///< at most 16
    std::size_t num_octets = 0;
    const float* conditions = nullptr;       ///< [octets][2^depth - 1][8]
    const std::uint32_t* columns = nullptr;  ///< the same shape: places in the row, with kMissingGoesLeft
    const float* leaves = nullptr;           ///< [octets][2^depth][8]
};

/// out [octets][8]: the leaf of each tree that `row` falls into.
void WalkOctets(const TreeOctets& octets, const float* row, float* out);

}  // namespace espalier::kernels
