#include "kernels/float_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace espalier::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(FloatMathTest, ExpIsTheRoundedDoubleExp) {
    int different = 0;
    int count = 0;
    for (float x = -105; x < 89.5F; x += 0.00037F, ++count) {
        auto expected = static_cast<float>(std::exp(static_cast<double>(x)));
        float got = Exp(x);
        if (got != expected) {
            ++different;
            EXPECT_LE(std::abs(got - expected), std::abs(std::nextafterf(expected, kInfinity) - expected)) << x;
        }
    }
    EXPECT_LT(different, count / 100000 + 1);
    EXPECT_EQ(Exp(0), 1.0F);
    EXPECT_EQ(Exp(-kInfinity), 0.0F);
    EXPECT_EQ(Exp(kInfinity), kInfinity);
    EXPECT_EQ(Exp(1000), kInfinity);
    EXPECT_TRUE(std::isnan(Exp(std::numeric_limits<float>::quiet_NaN())));
}

TEST(FloatMathTest, LogIsTheRoundedDoubleLog) {
    int different = 0;
    int count = 0;
    for (float x = 1e-44F; x < 1e38F; x *= 1.00037F, ++count) {
        auto expected = static_cast<float>(std::log(static_cast<double>(x)));
        float got = Log(x);
        if (got != expected) ++different;
        EXPECT_LE(std::abs(got - expected), std::abs(std::nextafterf(expected, kInfinity) - expected)) << x;
        x = std::nextafterf(x, kInfinity);
    }
    EXPECT_LT(different, count / 100000 + 1);
    EXPECT_EQ(Log(1), 0.0F);
    EXPECT_EQ(Log(0), -kInfinity);
    EXPECT_EQ(Log(kInfinity), kInfinity);
    EXPECT_TRUE(std::isnan(Log(-1)));
}

}  // namespace
}  // namespace espalier::kernels
