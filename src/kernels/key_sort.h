// Sorting of numbers by their upper 32 bits: least digit first, three passes of 11, 11 and 10 bits, or two of 16 where
// there are many.
//
// Passes in which all elements have the same digit are left out. Thread-safe: pure functions.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace espalier::kernels {

/// A float as a number of the same order: -inf first, -0 just before 0.
inline std::uint32_t OrderedBits(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}

inline float FromOrderedBits(std::uint32_t ordered) {
    return std::bit_cast<float>((ordered >> 31) != 0 ? ordered & 0x7FFFFFFFU : ~ordered);
}

/// Rising order. scratch: at least as long as keys; its contents are lost.
void SortKeys(std::span<std::uint32_t> keys, std::span<std::uint32_t> scratch);

/// By the upper 32 bits; elements with the same ones keep their order.
void SortKeys(std::span<std::uint64_t> pairs, std::span<std::uint64_t> scratch);

}  // namespace espalier::kernels
