#include "kernels/split_sieve.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/split_sieve.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void FindPassing(const SplitSieve& sieve, const PackedPair* prefixes, std::size_t num_prefixes, std::uint8_t* passed) {
    const hn::CappedTag<double, 8> d;
    const hn::Rebind<std::int32_t, decltype(d)> di32;
    const hn::Rebind<std::uint32_t, decltype(d)> du32;
    const hn::Rebind<std::uint64_t, decltype(d)> du64;
    const std::size_t lanes = hn::Lanes(d);
    const auto total_g = hn::Set(d, sieve.total_g);
    const auto total_h = hn::Set(d, sieve.total_h);
    const auto lambda = hn::Set(d, sieve.lambda);
    const auto hess_min = hn::Set(d, sieve.hess_min);
    const auto bar = hn::Set(d, sieve.bar);
    for (std::size_t i = 0; i < num_prefixes; i += 8) {
        unsigned bits = 0;
        for (std::size_t lane = 0; lane < 8; lane += lanes) {
            const auto packed = hn::LoadU(du64, reinterpret_cast<const std::uint64_t*>(prefixes) + i + lane);
            const auto g = hn::PromoteTo(d, hn::BitCast(di32, hn::TruncateTo(du32, hn::ShiftRight<32>(packed))));
            const auto h = hn::PromoteTo(d, hn::BitCast(di32, hn::TruncateTo(du32, packed)));
            const auto other_g = hn::Sub(total_g, g);
            const auto other_h = hn::Sub(total_h, h);
            const auto weight = hn::Add(h, lambda);
            const auto other_weight = hn::Add(other_h, lambda);
            const auto gain = hn::Add(hn::Mul(hn::Mul(g, g), other_weight), hn::Mul(hn::Mul(other_g, other_g), weight));
            const auto needed = hn::Mul(hn::Mul(bar, weight), other_weight);
            const auto heavy = hn::And(hn::Ge(h, hess_min), hn::Ge(other_h, hess_min));
            const auto mask = hn::And(heavy, hn::Ge(gain, needed));
            std::uint8_t lane_bits[8] = {};
            hn::StoreMaskBits(d, mask, lane_bits);
            bits |= static_cast<unsigned>(lane_bits[0]) << lane;
        }
        passed[i / 8] = static_cast<std::uint8_t>(bits);
    }
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(FindPassing);

void FindPassingSplits(const SplitSieve& sieve, const PackedPair* prefixes, std::size_t num_prefixes,
                       std::uint8_t* passed) {
    HWY_DYNAMIC_DISPATCH(FindPassing)(sieve, prefixes, num_prefixes, passed);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
