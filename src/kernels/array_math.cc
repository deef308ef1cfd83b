#include "kernels/array_math.h"

#include <algorithm>
#include <array>
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

/// c0 + c1 x.
HWY_INLINE Vec Two(Vec x, double c0, double c1) {
    const Doubles d;
    return hn::Add(hn::Set(d, c0), hn::Mul(x, hn::Set(d, c1)));
}

/// c0 + c1 x + c2 x^2 + c3 x^3.
HWY_INLINE Vec Four(Vec x, Vec x2, double c0, double c1, double c2, double c3) {
    return hn::Add(Two(x, c0, c1), hn::Mul(Two(x, c2, c3), x2));
}

/// low + middle x^4 + high x^8.
HWY_INLINE Vec Join(Vec x2, Vec low, Vec middle, Vec high) {
    const Vec x4 = hn::Mul(x2, x2);
    return hn::Add(hn::Add(low, hn::Mul(middle, x4)), hn::Mul(high, hn::Mul(x4, x4)));
}

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
    const Vec r2 = hn::Mul(r, r);
    const Vec low = Four(r, r2, 1.0, 1.0, 0.5, 1.0 / 6);
    const Vec middle = Four(r, r2, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040);
    const Vec high = Four(r, r2, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800);
    const Vec p = Join(r2, low, middle, high);
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
    const Vec q2 = hn::Mul(q, q);
    const Vec low = Four(q, q2, 1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7);
    const Vec middle = Four(q, q2, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15);
    const Vec high = hn::Add(Two(q, 1.0 / 17, 1.0 / 19), hn::Mul(hn::Set(d, 1.0 / 21), q2));
    const Vec p = Join(q2, low, middle, high);
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

using Wide = hn::ScalableTag<float>;

HWY_INLINE void GreatestOfClasses(const float* margins, std::size_t stride, std::size_t num_classes, std::size_t size,
                                  float* highest) {
    const Wide f;
    for (std::size_t k = 0; k < num_classes; ++k) {
        const float* const of_class = margins + k * stride;
        std::size_t i = 0;
        for (; i + hn::Lanes(f) <= size; i += hn::Lanes(f)) {
            const auto seen = hn::LoadU(f, highest + i);
            const auto margin = hn::LoadU(f, of_class + i);
            hn::StoreU(hn::IfThenElse(hn::Lt(seen, margin), margin, seen), f, highest + i);
        }
        for (; i < size; ++i) highest[i] = std::max(highest[i], of_class[i]);
    }
}

void ClassExps(const float* margins, std::size_t stride, std::size_t num_classes, std::size_t size, float lowest,
               float* exps, std::size_t exps_stride, float* totals) {
    const Doubles d;
    const Floats f;
    std::array<float, kSoftmaxRows> highest;
    std::array<double, kSoftmaxRows> sums{};
    highest.fill(lowest);
    GreatestOfClasses(margins, stride, num_classes, size, highest.data());
    for (std::size_t k = 0; k < num_classes; ++k) {
        const float* const of_class = margins + k * stride;
        float* const out = exps + k * exps_stride;
        std::size_t i = 0;
        for (; i + hn::Lanes(d) <= size; i += hn::Lanes(d)) {
            const auto below = hn::Sub(hn::LoadU(f, of_class + i), hn::LoadU(f, highest.data() + i));
            const auto exp = hn::DemoteTo(f, ExpOf(hn::PromoteTo(d, below)));
            hn::StoreU(exp, f, out + i);
            hn::StoreU(hn::Add(hn::LoadU(d, sums.data() + i), hn::PromoteTo(d, exp)), d, sums.data() + i);
        }
        for (; i < size; ++i) {
            out[i] = Exp(of_class[i] - highest[i]);
            sums[i] += static_cast<double>(out[i]);
        }
    }
    for (std::size_t i = 0; i < size; ++i) totals[i] = static_cast<float>(sums[i]);
}

void FindGreatest(const float* margins, std::size_t stride, std::size_t num_classes, std::size_t size, float* classes) {
    const Wide f;
    std::size_t i = 0;
    for (; i + hn::Lanes(f) <= size; i += hn::Lanes(f)) {
        auto greatest = hn::LoadU(f, margins + i);
        auto first = hn::Zero(f);
        for (std::size_t k = 1; k < num_classes; ++k) {
            const auto margin = hn::LoadU(f, margins + k * stride + i);
            const auto is_greater = hn::Gt(margin, greatest);
            greatest = hn::IfThenElse(is_greater, margin, greatest);
            first = hn::IfThenElse(is_greater, hn::Set(f, static_cast<float>(k)), first);
        }
        hn::StoreU(first, f, classes + i);
    }
    for (; i < size; ++i) {
        std::size_t first = 0;
        for (std::size_t k = 1; k < num_classes; ++k) {
            if (margins[k * stride + i] > margins[first * stride + i]) first = k;
        }
        classes[i] = static_cast<float>(first);
    }
}

void ClassGradients(const float* labels, const float* weights, const float* totals, std::size_t num_classes,
                    std::size_t size, float hess_min, float* grad, float* hess, std::size_t stride) {
    const Wide f;
    const auto one = hn::Set(f, 1.0F);
    const auto two = hn::Set(f, 2.0F);
    const auto least = hn::Set(f, hess_min);
    for (std::size_t k = 0; k < num_classes; ++k) {
        const auto label = static_cast<float>(k);
        float* const g = grad + k * stride;
        float* const h = hess + k * stride;
        std::size_t i = 0;
        for (; i + hn::Lanes(f) <= size; i += hn::Lanes(f)) {
            const auto p = hn::Div(hn::LoadU(f, g + i), hn::LoadU(f, totals + i));
            const auto is_label = hn::Eq(hn::LoadU(f, labels + i), hn::Set(f, label));
            const auto weight = weights != nullptr ? hn::LoadU(f, weights + i) : one;
            const auto curvature = hn::Mul(hn::Mul(hn::Mul(two, p), hn::Sub(one, p)), weight);
            hn::StoreU(hn::IfThenElse(hn::Lt(curvature, least), least, curvature), f, h + i);
            hn::StoreU(hn::Mul(hn::Sub(p, hn::IfThenElseZero(is_label, one)), weight), f, g + i);
        }
        for (; i < size; ++i) {
            const float p = g[i] / totals[i];
            const float weight = weights != nullptr ? weights[i] : 1.0F;
            h[i] = std::max(2.0F * p * (1.0F - p) * weight, hess_min);
            g[i] = (p - (labels[i] == label ? 1.0F : 0.0F)) * weight;
        }
    }
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(ExpArray);
HWY_EXPORT(LogArray);
HWY_EXPORT(ClassExps);
HWY_EXPORT(FindGreatest);
HWY_EXPORT(ClassGradients);

void ExpOfEach(const float* x, std::size_t size, float* out) {
    HWY_DYNAMIC_DISPATCH(ExpArray)(x, size, out);
}

void LogOfEach(const float* x, std::size_t size, float* out) {
    HWY_DYNAMIC_DISPATCH(LogArray)(x, size, out);
}

void ExpsOfClasses(const float* margins, std::size_t stride, std::size_t num_classes, std::size_t size, float lowest,
                   float* exps, std::size_t exps_stride, float* totals) {
    HWY_DYNAMIC_DISPATCH(ClassExps)(margins, stride, num_classes, size, lowest, exps, exps_stride, totals);
}

void GreatestClasses(const float* margins, std::size_t stride, std::size_t num_classes, std::size_t size,
                     float* classes) {
    HWY_DYNAMIC_DISPATCH(FindGreatest)(margins, stride, num_classes, size, classes);
}

void SoftmaxGradients(const float* labels, const float* weights, const float* totals, std::size_t num_classes,
                      std::size_t size, float hess_min, float* grad, float* hess, std::size_t stride) {
    HWY_DYNAMIC_DISPATCH(ClassGradients)
    (labels, weights, totals, num_classes, size, hess_min, grad, hess, stride);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
