#include "kernels/split_sieve.h"

namespace espalier::kernels {

void FindPassingSplitsScalar(const SplitSieve& sieve, const PackedPair* prefixes, std::size_t num_prefixes,
                             std::uint8_t* passed) {
    for (std::size_t i = 0; i < num_prefixes; ++i) {
        const auto g = static_cast<double>(SumG(prefixes[i]));
        const auto h = static_cast<double>(SumH(prefixes[i]));
        const double other_g = sieve.total_g - g;
        const double other_h = sieve.total_h - h;
        const double weight = h + sieve.lambda;
        const double other_weight = other_h + sieve.lambda;
        const double gain = g * g * other_weight + other_g * other_g * weight;
        const double needed = sieve.bar * weight * other_weight;
        const bool passes = h >= sieve.hess_min && other_h >= sieve.hess_min && gain >= needed;
        if (i % 8 == 0) passed[i / 8] = 0;
        if (passes) passed[i / 8] = static_cast<std::uint8_t>(passed[i / 8] | (1U << (i % 8)));
    }
}

}  // namespace espalier::kernels
