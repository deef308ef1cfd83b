#include "kernels/array_math.h"

#include <cstdint>
#include <limits>

#include "kernels/float_math.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/array_math.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Doubles = hn::ScalableTag<double>;
using Floats = hn::Rebind<float, Doubles>;
using Words = hn::RebindToUnsigned<Doubles>;
using Vec = hn::Vec<Doubles>;

/// kernels::Exp before it is rounded to float; the names are those there.
HWY_INLINE Vec ExpOf(Vec x) {
    const Doubles d;
    const Words words;
    const auto k_round = hn::Set(d, 6755399441055744.0);
    // A NaN is below or above nothing and stays.
    Vec clamped = hn::IfThenElse(hn::Lt(x, hn::Set(d, -110.0)), hn::Set(d, -110.0), x);
    clamped = hn::IfThenElse(hn::Gt(clamped, hn::Set(d, 90.0)), hn::Set(d, 90.0), clamped);
    const Vec shifted = hn::Add(hn::Mul(clamped, hn::Set(d, 1.4426950408889634)), k_round);
    const Vec k = hn::Sub(shifted, k_round);
    const Vec r = hn::Sub(hn::Sub(clamped, hn::Mul(k, hn::Set(d, 6.93147180369123816490e-01))),
                          hn::Mul(k, hn::Set(d, 1.90821492927058770002e-10)));
    Vec p = hn::Set(d, 1.0 / 39916800);
    for (const double term : {1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24,
                              1.0 / 6, 0.5, 1.0, 1.0}) {
        p = hn::Add(hn::Mul(p, r), hn::Set(d, term));
    }
    const auto power = hn::ShiftLeft<52>(hn::Add(hn::BitCast(words, shifted), hn::Set(words, 1023)));
    return hn::Mul(p, hn::BitCast(d, power));
}

/// kernels::Log of finite numbers above 0 before it is rounded to float.
HWY_INLINE Vec LogOf(Vec x) {
    const Doubles d;
    const Words words;
    const auto bits = hn::BitCast(words, x);
    // The exponent field as a double, by way of the low bits of 2^52.
    const Vec biased = hn::Sub(hn::BitCast(d, hn::Or(hn::ShiftRight<52>(bits), hn::Set(words, 0x4330000000000000ULL))),
                               hn::Set(d, 0x1p52));
    Vec exponent = hn::Sub(biased, hn::Set(d, 1023.0));
    Vec m = hn::BitCast(
        d, hn::Or(hn::And(bits, hn::Set(words, 0x000FFFFFFFFFFFFFULL)), hn::Set(words, 0x3FF0000000000000ULL)));
    const auto is_large = hn::Gt(m, hn::Set(d, 1.4142135623730951));
    m = hn::IfThenElse(is_large, hn::Mul(m, hn::Set(d, 0.5)), m);
    exponent = hn::IfThenElse(is_large, hn::Add(exponent, hn::Set(d, 1.0)), exponent);
    const Vec one = hn::Set(d, 1.0);
    const Vec s = hn::Div(hn::Sub(m, one), hn::Add(m, one));
    const Vec q = hn::Mul(s, s);
    Vec p = hn::Set(d, 1.0 / 21);
    for (const double term :
         {1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1.0}) {
        p = hn::Add(hn::Mul(p, q), hn::Set(d, term));
    }
    return hn::Add(hn::Mul(exponent, hn::Set(d, 0.69314718055994530942)), hn::Mul(hn::Mul(hn::Set(d, 2.0), s), p));
}

void ExpArray(const float* x, std::size_t size, float* out) {
    const Doubles d;
    const Floats f;
    const std::size_t lanes = hn::Lanes(d);
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes) {
        hn::StoreU(hn::DemoteTo(f, ExpOf(hn::PromoteTo(d, hn::LoadU(f, x + i)))), f, out + i);
    }
    for (; i < size; ++i) out[i] = Exp(x[i]);
}

void LogArray(const float* x, std::size_t size, float* out) {
    const Doubles d;
    const Floats f;
    const std::size_t lanes = hn::Lanes(d);
    const auto infinity = hn::Set(d, std::numeric_limits<double>::infinity());
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes) {
        const Vec value = hn::PromoteTo(d, hn::LoadU(f, x + i));
        // 0, infinity, NaN and what is negative are rare, and the scalar's business.
        const auto is_plain = hn::And(hn::Gt(value, hn::Zero(d)), hn::Lt(value, infinity));
        if (hn::AllTrue(d, is_plain)) {
            hn::StoreU(hn::DemoteTo(f, LogOf(value)), f, out + i);
        } else {
            for (std::size_t lane = i; lane < i + lanes; ++lane) out[lane] = Log(x[lane]);
        }
    }
    for (; i < size; ++i) out[i] = Log(x[i]);
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(ExpArray);
HWY_EXPORT(LogArray);

void ExpOfEach(const float* x, std::size_t size, float* out) {
    HWY_DYNAMIC_DISPATCH(ExpArray)(x, size, out);
}

void LogOfEach(const float* x, std::size_t size, float* out) {
    HWY_DYNAMIC_DISPATCH(LogArray)(x, size, out);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
