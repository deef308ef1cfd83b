// exp and log of our own: the same bits on every machine and for every instruction set, because only IEEE additions,
// multiplications and divisions are used, in a fixed order and without contraction.
//
// ExpFloat: correctly rounded float in all but about 1 in 10^6 arguments (computed in double, relative error < 1e-11).
// LogDouble: relative error < 1e-14; argument positive, finite and normal.
// Method: exp: x = n ln 2 + r, |r| <= ln 2 / 2, Taylor polynomial of degree 11 in r, scaled by 2^n.
//         log: x = m 2^e with m in [sqrt(1/2), sqrt 2), log m = 2 atanh((m-1)/(m+1)) by its series.
// Oracle: libm, in elementary_test.cc.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace espalier::kernels {

inline double ExpDouble(double x) {
    if (x < -700.0) return 0.0;
    if (x > 700.0) x = 700.0;
    constexpr double kLog2E = 1.4426950408889634074;
    constexpr double kLn2High = 6.93147180369123816490e-01;  // ln 2 in two parts: the first has 32 trailing zero bits.
    constexpr double kLn2Low = 1.90821492927058770002e-10;
    // Adding and subtracting 1.5 * 2^52 rounds to the nearest integer in the default rounding mode.
    constexpr double kRound = 6755399441055744.0;
    const double n = (x * kLog2E + kRound) - kRound;
    const double r = (x - n * kLn2High) - n * kLn2Low;
    double p = 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    const auto exponent = static_cast<std::int64_t>(n);
    return p * std::bit_cast<double>((exponent + 1023) << 52);
}

inline float ExpFloat(float x) {
    return static_cast<float>(ExpDouble(static_cast<double>(x)));
}

inline double LogDouble(double x) {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    auto exponent = static_cast<std::int64_t>(bits >> 52) - 1023;
    double m = std::bit_cast<double>((bits & 0x000F'FFFF'FFFF'FFFFULL) | 0x3FF0'0000'0000'0000ULL);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        ++exponent;
    }
    const double t = (m - 1.0) / (m + 1.0);
    const double t2 = t * t;
    double series = 1.0 / 21.0;
    for (const double divisor : {19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0}) {
        series = series * t2 + 1.0 / divisor;
    }
    constexpr double kLn2High = 6.93147180369123816490e-01;
    constexpr double kLn2Low = 1.90821492927058770002e-10;
    const auto e = static_cast<double>(exponent);
    return e * kLn2High + (2.0 * t * series + e * kLn2Low);
}

/// xgboost's Sigmoid: 1 / (exp(min(-x, 88.7)) + 1 + 1e-16) in float.
inline float Sigmoid(float x) {
    const float exponent = -x < 88.7F ? -x : 88.7F;
    return 1.0F / (ExpFloat(exponent) + 1.0F + 1e-16F);
}

}  // namespace espalier::kernels
