// exp, log and what is made of them in double, the same bits on every machine (see float_math.h for why not libm).
//
// Errors: Exp, Log, Log1p and Log2 below 2 units in the last place, LogGamma below 3e-14 and Erf below 1e-15 absolute.
// Thread-safe: pure functions.
#pragma once

#include <cmath>
#include <limits>

namespace espalier::kernels {

inline constexpr double kLn2 = 0.69314718055994530942;
inline constexpr double kPi = 3.14159265358979323846;

/// e^x. Overflows to infinity, underflows through the subnormals to 0; NaN stays NaN.
inline double Exp(double x) {
    constexpr double kLn2High = 6.93147180369123816490e-01;  // 32 bits: k * kLn2High is exact
    constexpr double kLn2Low = 1.90821492927058770002e-10;
    if (!(x > -750)) return std::isnan(x) ? x : 0;
    if (x > 710) return std::numeric_limits<double>::infinity();
    const double k = std::floor(x / kLn2 + 0.5);
    const double r = (x - k * kLn2High) - k * kLn2Low;  // |r| <= ln2 / 2
    double p = 1;
    for (int n = 15; n >= 1; --n) p = 1 + p * r / n;  // Taylor: the rest is below 1e-20
    return std::ldexp(p, static_cast<int>(k));
}

/// Natural logarithm. 0 gives -infinity, negative numbers and NaN give NaN.
inline double Log(double x) {
    if (!(x > 0)) return x == 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    if (std::isinf(x)) return x;
    int exponent = 0;
    double m = std::frexp(x, &exponent);
    if (m < 0.70710678118654752440) {
        m *= 2;
        --exponent;
    }
    // log m = 2 atanh(s), |s| < 0.1716: terms to s^25 leave 1e-20.
    const double s = (m - 1) / (m + 1);
    const double q = s * s;
    double p = 1.0 / 25;
    for (int n = 23; n >= 3; n -= 2) p = p * q + 1.0 / n;
    return exponent * kLn2 + (2 * s + 2 * s * q * p);
}

inline double Log2(double x) {
    return Log(x) / kLn2;
}

/// log(1 + x), exact also where x is tiny.
inline double Log1p(double x) {
    const double sum = 1 + x;
    if (sum == 1) return x;
    if (std::isinf(sum) || !(sum > 0)) return Log(sum);
    return Log(sum) * (x / (sum - 1));
}

/// log of the gamma function of x > 0; infinity for 0 and NaN below.
inline double LogGamma(double x) {
    if (!(x > 0)) return x == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    double shift = 1;
    for (; x < 16; ++x) shift *= x;
    // Stirling's series; from 16 on five terms leave 1e-16.
    const double inverse = 1 / x;
    const double q = inverse * inverse;
    const double series = inverse * (1.0 / 12 - q * (1.0 / 360 - q * (1.0 / 1260 - q * (1.0 / 1680 - q / 1188))));
    return (x - 0.5) * Log(x) - x + 0.5 * Log(2 * kPi) + series - Log(shift);
}

/// The error function.
inline double Erf(double x) {
    constexpr double kTwoOverRootPi = 1.12837916709551257390;
    const double a = std::fabs(x);
    if (std::isnan(x)) return x;
    double value = 1;
    if (a < 2) {
        // e^(-x^2) times a series of positive terms: nothing cancels.
        double term = a;
        double sum = a;
        for (int n = 1; n < 80; ++n) {
            term *= 2 * a * a / (2 * n + 1);
            sum += term;
        }
        value = kTwoOverRootPi * Exp(-a * a) * sum;
    } else if (a < 7) {
        // The continued fraction of the complement, evaluated from its tail.
        double fraction = a;
        for (int n = 120; n >= 1; --n) fraction = a + n * 0.5 / fraction;
        value = 1 - kTwoOverRootPi * 0.5 * Exp(-a * a) / fraction;
    }
    return x < 0 ? -value : value;
}

}  // namespace espalier::kernels
