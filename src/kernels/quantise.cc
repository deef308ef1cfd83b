#include "kernels/quantise.h"

#include <algorithm>
#include <bit>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantise.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Doubles = hn::ScalableTag<double>;
using Floats = hn::Rebind<float, Doubles>;
using Integers = hn::RebindToSigned<Doubles>;
using Halves = hn::Rebind<std::int32_t, Doubles>;
using Vec = hn::Vec<Doubles>;

/// ToFine, still as a double. A float has 24 bits, so the integer that it becomes is a double as well.
HWY_INLINE Vec Fine(Vec value, Vec units_per_one) {
    const Vec scaled = hn::Mul(value, units_per_one);
    return hn::Trunc(hn::Add(scaled, hn::CopySign(hn::Set(Doubles(), 0.5), scaled)));
}

/// Shifted, by the power of two that `per_fine` is: also exact, for the same reason.
HWY_INLINE hn::Vec<Halves> Packed(Vec fine, Vec per_fine) {
    return hn::DemoteTo(Halves(), hn::Floor(hn::Add(hn::Mul(fine, per_fine), hn::Set(Doubles(), 0.5))));
}

void PairsOf(const float* grad, const float* hess, std::size_t size, const PackedScale& grad_scale,
             const PackedScale& hess_scale, PackedPair* pairs) {
    const Doubles d;
    const Integers integers;
    const Vec grad_units = hn::Set(d, grad_scale.units_per_one);
    const Vec hess_units = hn::Set(d, hess_scale.units_per_one);
    const Vec grad_per_fine = hn::Set(d, std::ldexp(1.0, -grad_scale.shift));
    const Vec hess_per_fine = hn::Set(d, std::ldexp(1.0, -hess_scale.shift));
    const std::size_t lanes = hn::Lanes(d);
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes) {
        const auto g = Packed(Fine(hn::PromoteTo(d, hn::LoadU(Floats(), grad + i)), grad_units), grad_per_fine);
        const auto h = Packed(Fine(hn::PromoteTo(d, hn::LoadU(Floats(), hess + i)), hess_units), hess_per_fine);
        hn::StoreU(hn::Add(hn::ShiftLeft<32>(hn::PromoteTo(integers, g)), hn::PromoteTo(integers, h)), integers,
                   pairs + i);
    }
    for (; i < size; ++i) {
        pairs[i] = Pack(Shifted(ToFine(grad[i], grad_scale.units_per_one), grad_scale.shift),
                        Shifted(ToFine(hess[i], hess_scale.units_per_one), hess_scale.shift));
    }
}

/// Magnitudes rise with their bits, and what is not finite is above them.
float Greatest(const float* values, std::size_t size) {
    constexpr std::uint32_t kMagnitude = 0x7FFF'FFFF;
    const hn::ScalableTag<std::uint32_t> d;
    const auto* const bits = reinterpret_cast<const std::uint32_t*>(values);
    auto greatest = hn::Zero(d);
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= size; i += hn::Lanes(d)) {
        greatest = hn::Max(greatest, hn::And(hn::LoadU(d, bits + i), hn::Set(d, kMagnitude)));
    }
    std::uint32_t of_all = hn::GetLane(hn::MaxOfLanes(d, greatest));
    for (; i < size; ++i) of_all = std::max(of_all, std::bit_cast<std::uint32_t>(values[i]) & kMagnitude);
    return std::bit_cast<float>(of_all);
}

template <bool kMagnitudes>
std::int64_t Sum(const float* values, std::size_t size, double units_per_one) {
    const Doubles d;
    const Integers integers;
    const Vec units = hn::Set(d, units_per_one);
    // An integer of 51 bits and a sign that is added to it stands in the low bits.
    const Vec base = hn::Set(d, 0x1.8p52);
    const std::size_t lanes = hn::Lanes(d);
    auto sums = hn::Zero(integers);
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes) {
        const Vec value = hn::PromoteTo(d, hn::LoadU(Floats(), values + i));
        Vec fine;
        if constexpr (kMagnitudes) {
            fine = hn::Trunc(hn::Add(hn::Mul(hn::Abs(value), units), hn::Set(d, 0.5)));
        } else {
            fine = Fine(value, units);
        }
        const auto bits = hn::BitCast(integers, hn::Add(fine, base));
        sums = hn::Add(sums, hn::Sub(bits, hn::BitCast(integers, base)));
    }
    std::int64_t sum = hn::GetLane(hn::SumOfLanes(integers, sums));
    for (; i < size; ++i) sum += ToFine(kMagnitudes ? std::fabs(values[i]) : values[i], units_per_one);
    return sum;
}

std::int64_t SumOfValues(const float* values, std::size_t size, double units_per_one) {
    return Sum<false>(values, size, units_per_one);
}

std::int64_t SumOfMagnitudes(const float* values, std::size_t size, double units_per_one) {
    return Sum<true>(values, size, units_per_one);
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(PairsOf);
HWY_EXPORT(Greatest);
HWY_EXPORT(SumOfValues);
HWY_EXPORT(SumOfMagnitudes);

void QuantisePairs(const float* grad, const float* hess, std::size_t size, const PackedScale& grad_scale,
                   const PackedScale& hess_scale, PackedPair* pairs) {
    HWY_DYNAMIC_DISPATCH(PairsOf)(grad, hess, size, grad_scale, hess_scale, pairs);
}

float GreatestMagnitude(const float* values, std::size_t size) {
    return HWY_DYNAMIC_DISPATCH(Greatest)(values, size);
}

std::int64_t SumFine(const float* values, std::size_t size, double units_per_one) {
    return HWY_DYNAMIC_DISPATCH(SumOfValues)(values, size, units_per_one);
}

std::int64_t SumFineMagnitudes(const float* values, std::size_t size, double units_per_one) {
    return HWY_DYNAMIC_DISPATCH(SumOfMagnitudes)(values, size, units_per_one);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
