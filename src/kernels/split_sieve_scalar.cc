#include <algorithm>
#include <cmath>

#include "kernels/split_sieve.h"

namespace espalier::kernels {

template <typename Integer, typename Float, typename Pair>
bool FindPassingSplitsScalar(const SplitSieveOf<Integer, Float>& sieve, const Pair* prefixes, std::size_t num_prefixes,
                             std::uint8_t* passed) {
    const auto shrunk = [&](Integer g) {
        return std::max(std::fabs(static_cast<Float>(g)) - sieve.alpha, static_cast<Float>(0));
    };
    bool any_heavy = false;
    for (std::size_t i = 0; i < (num_prefixes + 7) / 8 * 8; ++i) {
        const auto h = static_cast<Integer>(SumH(prefixes[i]));
        const Integer other_h = sieve.total_h - h;
        const Float g = shrunk(static_cast<Integer>(SumG(prefixes[i])));
        const Float other_g = shrunk(sieve.total_g - static_cast<Integer>(SumG(prefixes[i])));
        const Float weight = static_cast<Float>(h) + sieve.lambda;
        const Float other_weight = static_cast<Float>(other_h) + sieve.lambda;
        const Float gain = g * g * other_weight + other_g * other_g * weight;
        const Float needed = sieve.bar * weight * other_weight;
        const bool heavy = h >= sieve.hess_min && other_h >= sieve.hess_min;
        any_heavy = any_heavy || heavy;
        if (i % 8 == 0) passed[i / 8] = 0;
        if (heavy && !(gain < needed)) passed[i / 8] = static_cast<std::uint8_t>(passed[i / 8] | (1U << (i % 8)));
    }
    return any_heavy;
}

template bool FindPassingSplitsScalar(const SplitSieve&, const PackedPair*, std::size_t, std::uint8_t*);
template bool FindPassingSplitsScalar(const WideSplitSieve&, const WidePair*, std::size_t, std::uint8_t*);

}  // namespace espalier::kernels
