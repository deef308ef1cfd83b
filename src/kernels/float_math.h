// exp and log of floats, the same bits on every machine.
//
// libm picks other instructions (and now and then another last bit) by processor. Here the work is done in double with
// one fixed order of operations (-ffp-contract=off: no fused multiply-add), and rounded to float once; the result is
// the correctly rounded one but for about one argument in 10^6, and differs from glibc's expf for one in 1600, logf for
// one in 200, by one unit in the last place. Branch-free where it matters, so loops over it vectorise. Thread-safe.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace espalier::kernels {

/// e^x. Overflows to infinity, underflows through the subnormals to 0; NaN stays NaN.
inline float Exp(float x) {
    constexpr double kLog2E = 1.4426950408889634;
    constexpr double kLn2High = 6.93147180369123816490e-01;  // 32 bits: k * kLn2High is exact
    constexpr double kLn2Low = 1.90821492927058770002e-10;
    constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer in the low bits
    double clamped = x < -110.0F ? -110.0 : (x > 90.0F ? 90.0 : static_cast<double>(x));
    double shifted = clamped * kLog2E + kRound;
    double k = shifted - kRound;
    double r = (clamped - k * kLn2High) - k * kLn2Low;  // |r| <= ln2 / 2
    // Taylor to r^11: the rest is below 3e-15 of the result. In pairs and pairs of pairs (Estrin), for power by power
    // (Horner) each step waits for the one before it: vectors took twice as long.
    double r2 = r * r;
    double r4 = r2 * r2;
    double low = (1.0 + r) + (0.5 + r * (1.0 / 6)) * r2;
    double middle = (1.0 / 24 + r * (1.0 / 120)) + (1.0 / 720 + r * (1.0 / 5040)) * r2;
    double high = (1.0 / 40320 + r * (1.0 / 362880)) + (1.0 / 3628800 + r * (1.0 / 39916800)) * r2;
    double p = (low + middle * r4) + high * (r4 * r4);
    // k stands in the low bits of `shifted`; the exponent field takes its low 11 bits.
    std::uint64_t power = (std::bit_cast<std::uint64_t>(shifted) + 1023) << 52;
    return static_cast<float>(p * std::bit_cast<double>(power));
}

/// Natural logarithm. 0 gives -infinity, negative numbers and NaN give NaN.
inline float Log(float x) {
    if (!(x > 0)) return x == 0 ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    if (std::isinf(x)) return x;
    constexpr double kLn2 = 0.69314718055994530942;
    auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(x));
    int exponent = static_cast<int>(bits >> 52) - 1023;
    double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFULL) | 0x3FF0000000000000ULL);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        ++exponent;
    }
    // log m = 2 atanh(s), |s| < 0.1716: terms to s^21 leave 1e-17.
    double s = (m - 1) / (m + 1);
    double q = s * s;
    double q2 = q * q;
    double q4 = q2 * q2;
    double low = (1.0 + q * (1.0 / 3)) + (1.0 / 5 + q * (1.0 / 7)) * q2;
    double middle = (1.0 / 9 + q * (1.0 / 11)) + (1.0 / 13 + q * (1.0 / 15)) * q2;
    double high = (1.0 / 17 + q * (1.0 / 19)) + (1.0 / 21) * q2;
    double p = (low + middle * q4) + high * (q4 * q4);
    return static_cast<float>(exponent * kLn2 + 2 * s * p);
}

}  // namespace espalier::kernels
