// From float gradients to integers whose sums are exact.
//
// Nouns: unit (what an integer 1 means; a power of two, so that 1.0 and 0.25 stay exact), scale (gradient unit and
// hessian unit of one group in one round, agreed by all ranks), fine (64-bit) and packed (32-bit) integers.
// Steps: greatest |g| and h over all ranks -> the fine unit, such that a value has at most 51 bits and the sum over all
// rows stays below 2^61 -> exact sums of |g| and h in fine units over all ranks -> the packed unit, a fine unit
// shifted, such that the sum of rounded magnitudes over all rows stays below 2^31. No subset of rows can then overflow,
// on any rank, in any order. Width: packed sums leave a row about 31 - log2(rows * mean/max) bits. Small data uses wide
// sums, because they cost nothing there and make trees agree with stock to the last split; large data uses packed sums
// for the tree's structure and fine sums for the leaves; data so large that fewer than kPackedBitsMin bits were left
// uses wide sums again.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"

namespace espalier::learn {

struct GroupScale {
    int grad_exponent = 0;  ///< a fine gradient integer of 1 means 2^-grad_exponent
    int hess_exponent = 0;
    int grad_shift = 0;  ///< packed = fine >> shift, rounded to nearest
    int hess_shift = 0;

    double fine_grads_per_one() const { return std::ldexp(1.0, grad_exponent); }
    double fine_hessians_per_one() const { return std::ldexp(1.0, hess_exponent); }
    double fine_grad_unit() const { return std::ldexp(1.0, -grad_exponent); }
    double fine_hess_unit() const { return std::ldexp(1.0, -hess_exponent); }
    double packed_grad_unit() const { return std::ldexp(1.0, grad_shift - grad_exponent); }
    double packed_hess_unit() const { return std::ldexp(1.0, hess_shift - hess_exponent); }
};

/// The scales of all groups; grad and hess are [groups x rows], hessians not negative. total_rows: over all ranks.
/// Two small reductions. The same on every rank. kInvalidArgument when a gradient of any rank is not finite.
Result<std::vector<GroupScale>> AgreeOnScales(std::span<const float> grad, std::span<const float> hess,
                                              std::size_t num_groups, std::uint64_t total_rows, WorkerTeam& team,
                                              collective::Comm& comm);

/// Rows up to which, and from which on, HistogramWidth::kAuto takes wide sums.
inline constexpr std::uint64_t kWideRowsMax = 16'384;
inline constexpr std::uint64_t kPackedRowsMax = std::uint64_t{1} << 22;

}  // namespace espalier::learn
