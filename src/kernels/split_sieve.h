// The test without division that throws out splits which cannot beat the best; inner part of kernels/split_scan.cc.
//
// In integer units a split with left sums (gl, hl) and right sums (gr, hr) passes if both hessians reach hess_min and
//   t(gl)^2 (hr + lambda) + t(gr)^2 (hl + lambda) >= bar (hl + lambda) (hr + lambda),  t(g) = max(|g| - alpha, 0).
// Float for packed pairs, double for wide ones; one multiplication or addition at a time: the same answer on every
// instruction set. Scalar oracle: FindPassingSplitsScalar. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gradient_pair.h"

namespace espalier::kernels {

template <typename Integer, typename Float>
struct SplitSieveOf {
    Integer total_g = 0;
    Integer total_h = 0;
    Integer hess_min = 0;
    Float lambda = 0;
    Float alpha = 0;
    Float bar = 0;
};
/// |g|, h and their differences from the total are below 2^31, lambda below 2^60.
using SplitSieve = SplitSieveOf<std::int32_t, float>;
/// |g|, h and their differences from the total are below 2^62.
using WideSplitSieve = SplitSieveOf<std::int64_t, double>;

/// Bit i % 8 of passed[i / 8] is set when prefix i passes. prefixes must be readable up to the next multiple of 8 and
/// passed has as many bytes as there are blocks of 8; bits beyond num_prefixes say nothing. True when both sides of any
/// of the prefixes read reach hess_min.
bool FindPassingSplits(const SplitSieve& sieve, const PackedPair* prefixes, std::size_t num_prefixes,
                       std::uint8_t* passed);
bool FindPassingSplits(const WideSplitSieve& sieve, const WidePair* prefixes, std::size_t num_prefixes,
                       std::uint8_t* passed);

template <typename Integer, typename Float, typename Pair>
bool FindPassingSplitsScalar(const SplitSieveOf<Integer, Float>& sieve, const Pair* prefixes, std::size_t num_prefixes,
                             std::uint8_t* passed);

}  // namespace espalier::kernels
