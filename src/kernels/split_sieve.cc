#include "kernels/split_sieve.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/split_sieve.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// An int64 of a packed pair is, in memory, h and then g.
template <typename Int>
HWY_INLINE void LoadPairs(Int d, const PackedPair* prefixes, hn::Vec<Int>& g, hn::Vec<Int>& h) {
    hn::LoadInterleaved2(d, reinterpret_cast<const std::int32_t*>(prefixes), h, g);
}
template <typename Int>
HWY_INLINE void LoadPairs(Int d, const WidePair* prefixes, hn::Vec<Int>& g, hn::Vec<Int>& h) {
    hn::LoadInterleaved2(d, &prefixes->g, g, h);
}

template <typename Integer, typename Float, typename Pair>
bool FindPassing(const SplitSieveOf<Integer, Float>& sieve, const Pair* prefixes, std::size_t num_prefixes,
                 std::uint8_t* passed) {
    const hn::CappedTag<Float, 8> d;
    const hn::Rebind<Integer, decltype(d)> di;
    const std::size_t lanes = hn::Lanes(d);
    const auto total_g = hn::Set(di, sieve.total_g);
    const auto total_h = hn::Set(di, sieve.total_h);
    const auto too_light = hn::Set(di, sieve.hess_min - 1);
    const auto lambda = hn::Set(d, sieve.lambda);
    const auto alpha = hn::Set(d, sieve.alpha);
    const auto bar = hn::Set(d, sieve.bar);
    const auto shrunk = [&](auto g)
                            HWY_ATTR { return hn::Max(hn::Sub(hn::Abs(hn::ConvertTo(d, g)), alpha), hn::Zero(d)); };
    bool any_heavy = false;
    for (std::size_t i = 0; i < num_prefixes; i += 8) {
        unsigned bits = 0;
        for (std::size_t lane = 0; lane < 8; lane += lanes) {
            hn::Vec<decltype(di)> g;
            hn::Vec<decltype(di)> h;
            LoadPairs(di, prefixes + i + lane, g, h);
            const auto other_h = hn::Sub(total_h, h);
            const auto heavy = hn::And(hn::Gt(h, too_light), hn::Gt(other_h, too_light));
            if (hn::AllFalse(di, heavy)) continue;
            any_heavy = true;
            const auto left_g = shrunk(g);
            const auto right_g = shrunk(hn::Sub(total_g, g));
            const auto weight = hn::Add(hn::ConvertTo(d, h), lambda);
            const auto other_weight = hn::Add(hn::ConvertTo(d, other_h), lambda);
            const auto gain =
                hn::Add(hn::Mul(hn::Mul(left_g, left_g), other_weight), hn::Mul(hn::Mul(right_g, right_g), weight));
            const auto needed = hn::Mul(hn::Mul(bar, weight), other_weight);
            const auto mask = hn::And(hn::RebindMask(d, heavy), hn::Not(hn::Lt(gain, needed)));
            std::uint8_t lane_bits[8] = {};
            hn::StoreMaskBits(d, mask, lane_bits);
            bits |= static_cast<unsigned>(lane_bits[0]) << lane;
        }
        passed[i / 8] = static_cast<std::uint8_t>(bits);
    }
    return any_heavy;
}

bool FindPassingPacked(const SplitSieve& sieve, const PackedPair* prefixes, std::size_t num_prefixes,
                       std::uint8_t* passed) {
    return FindPassing(sieve, prefixes, num_prefixes, passed);
}

bool FindPassingWide(const WideSplitSieve& sieve, const WidePair* prefixes, std::size_t num_prefixes,
                     std::uint8_t* passed) {
    return FindPassing(sieve, prefixes, num_prefixes, passed);
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(FindPassingPacked);
HWY_EXPORT(FindPassingWide);

bool FindPassingSplits(const SplitSieve& sieve, const PackedPair* prefixes, std::size_t num_prefixes,
                       std::uint8_t* passed) {
    return HWY_DYNAMIC_DISPATCH(FindPassingPacked)(sieve, prefixes, num_prefixes, passed);
}

bool FindPassingSplits(const WideSplitSieve& sieve, const WidePair* prefixes, std::size_t num_prefixes,
                       std::uint8_t* passed) {
    return HWY_DYNAMIC_DISPATCH(FindPassingWide)(sieve, prefixes, num_prefixes, passed);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
