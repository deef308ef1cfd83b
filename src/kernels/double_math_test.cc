#include "kernels/double_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace espalier::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void ExpectClose(double got, double expected, double relative, double at) {
    EXPECT_LE(std::fabs(got - expected), relative * std::fabs(expected)) << "at " << at << ": " << got;
}

TEST(DoubleMathTest, ExpIsLibms) {
    for (double x = -700; x < 709; x += 0.0371) ExpectClose(Exp(x), std::exp(x), 4e-16, x);
    EXPECT_EQ(Exp(0.0), 1.0);
    EXPECT_EQ(Exp(-kInfinity), 0.0);
    EXPECT_EQ(Exp(kInfinity), kInfinity);
    EXPECT_NEAR(Exp(-740.0) / std::exp(-740.0), 1, 1e-2);
    EXPECT_TRUE(std::isnan(Exp(std::nan(""))));
}

TEST(DoubleMathTest, LogIsLibms) {
    for (double x = 1e-300; x < 1e300; x *= 1.0371) ExpectClose(Log(x), std::log(x), 4e-16, x);
    for (double x = 0.5; x < 2; x += 0.00113) ExpectClose(Log(x), std::log(x), 4e-16, x);
    for (double x = 1e-12; x < 1e6; x *= 1.171) ExpectClose(Log1p(x), std::log1p(x), 5e-16, x);
    for (double x = -0.999; x < 0; x += 0.00713) ExpectClose(Log1p(x), std::log1p(x), 5e-16, x);
    for (double x = 1; x < 1e6; x *= 1.171) ExpectClose(Log2(x), std::log2(x), 5e-16, x);
    EXPECT_EQ(Log(0.0), -kInfinity);
    EXPECT_EQ(Log1p(-1.0), -kInfinity);
    EXPECT_EQ(Log(kInfinity), kInfinity);
    EXPECT_TRUE(std::isnan(Log(-1.0)));
    EXPECT_TRUE(std::isnan(Log1p(-2.0)));
}

TEST(DoubleMathTest, LogGammaIsLibms) {
    for (double x = 0.01; x < 1e7; x *= 1.0137) {
        EXPECT_NEAR(LogGamma(x), std::lgamma(x), 3e-14 + 2e-15 * std::fabs(std::lgamma(x))) << x;
    }
    EXPECT_EQ(LogGamma(0), kInfinity);
    EXPECT_TRUE(std::isnan(LogGamma(-0.5)));
}

TEST(DoubleMathTest, ErfIsLibms) {
    for (double x = -8; x < 8; x += 0.00731) EXPECT_NEAR(Erf(x), std::erf(x), 1e-15) << x;
    for (double x = 1e-12; x < 1; x *= 1.3) ExpectClose(Erf(x), std::erf(x), 1e-15, x);
    EXPECT_EQ(Erf(kInfinity), 1.0);
    EXPECT_EQ(Erf(-kInfinity), -1.0);
}

}  // namespace
}  // namespace espalier::kernels
