// Gradients in float to integers of an agreed unit, whose sums are exact.
//
// Nouns: fine (64-bit integers) and packed (a fine integer, shifted until sums fit into 32 bits); which units and
// shifts is learn/gradient_scale.h's business. The two scalar functions are the definition and the oracle of the
// others; they are compared in quantise_test.cc. No alignment or padding is asked for. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gradient_pair.h"

namespace espalier::kernels {

/// `value` in fine units, rounded to the nearest integer, halves away from zero.
inline std::int64_t ToFine(float value, double units_per_one) {
    const double scaled = static_cast<double>(value) * units_per_one;
    return static_cast<std::int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
}

/// `fine` / 2^shift, rounded to the nearest integer, halves up.
inline std::int64_t Shifted(std::int64_t fine, int shift) {
    return shift <= 0 ? fine : (fine + (std::int64_t{1} << (shift - 1))) >> shift;
}

/// How the values of one kind become packed. units_per_one is a power of two; shift is 0 to 61.
struct PackedScale {
    double units_per_one = 1;
    int shift = 0;
};

/// pairs[i] = Pack(Shifted(ToFine(grad[i], …)), the same of hess[i]). What is packed fits into 31 bits.
void QuantisePairs(const float* grad, const float* hess, std::size_t size, const PackedScale& grad_scale,
                   const PackedScale& hess_scale, PackedPair* pairs);

/// The greatest |values[i]|, 0 of none; infinite or NaN when any value is.
float GreatestMagnitude(const float* values, std::size_t size);

/// The sum of ToFine(values[i], units_per_one), each of which has at most 51 bits.
std::int64_t SumFine(const float* values, std::size_t size, double units_per_one);
/// The same of |values[i]|.
std::int64_t SumFineMagnitudes(const float* values, std::size_t size, double units_per_one);

}  // namespace espalier::kernels
