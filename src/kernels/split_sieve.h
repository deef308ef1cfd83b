// The test without division that throws out splits which cannot beat the best; inner part of kernels/split_scan.cc.
//
// In integer units a split with left sums (gl, hl) and right sums (gr, hr) passes if both hessians reach hess_min and
//   gl^2 (hr + lambda) + gr^2 (hl + lambda) >= bar (hl + lambda) (hr + lambda).
// All in double, one multiplication or addition at a time: the same answer on every instruction set.
// Scalar oracle: FindPassingSplitsScalar. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gradient_pair.h"

namespace espalier::kernels {

struct SplitSieve {
    double total_g = 0;
    double total_h = 0;
    double lambda = 0;
    double hess_min = 0;
    double bar = 0;
};

/// Bit i % 8 of passed[i / 8] is set when prefix i passes. prefixes must be readable up to the next multiple of 8 and
/// passed has as many bytes as there are blocks of 8; bits beyond num_prefixes say nothing. |g|, h < 2^31.
void FindPassingSplits(const SplitSieve& sieve, const PackedPair* prefixes, std::size_t num_prefixes,
                       std::uint8_t* passed);
void FindPassingSplitsScalar(const SplitSieve& sieve, const PackedPair* prefixes, std::size_t num_prefixes,
                             std::uint8_t* passed);

}  // namespace espalier::kernels
