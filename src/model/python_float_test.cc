#include "model/python_float.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace espalier::model {
namespace {

std::string Text(float value) {
    std::string text;
    AppendPythonFloat(value, text);
    return text;
}

// Expected texts: python3 -c "import numpy as np; print(repr(float(np.float32(x))))"
TEST(PythonFloatTest, PrintsAsRepr) {
    EXPECT_EQ(Text(7), "7.0");
    EXPECT_EQ(Text(0), "0.0");
    EXPECT_EQ(Text(-0.0F), "-0.0");
    EXPECT_EQ(Text(-3), "-3.0");
    EXPECT_EQ(Text(0.1F), "0.10000000149011612");
    EXPECT_EQ(Text(0.43861908F), "0.43861907720565796");
    EXPECT_EQ(Text(1e-4F), "9.999999747378752e-05");
    EXPECT_EQ(Text(1.1e-4F), "0.00011000000085914508");
    EXPECT_EQ(Text(1e-5F), "9.999999747378752e-06");
    EXPECT_EQ(Text(9.5367431640625e-07F), "9.5367431640625e-07");
    EXPECT_EQ(Text(123456.5F), "123456.5");
    EXPECT_EQ(Text(16777216), "16777216.0");
    EXPECT_EQ(Text(1e15F), "999999986991104.0");
    EXPECT_EQ(Text(1e16F), "1.0000000272564224e+16");
    EXPECT_EQ(Text(3.4028235e38F), "3.4028234663852886e+38");
    EXPECT_EQ(Text(1.0842021724855044e-19F), "1.0842021724855044e-19");
    EXPECT_EQ(Text(std::numeric_limits<float>::infinity()), "inf");
    EXPECT_EQ(Text(-std::numeric_limits<float>::infinity()), "-inf");
    EXPECT_EQ(Text(std::numeric_limits<float>::quiet_NaN()), "nan");
}

}  // namespace
}  // namespace espalier::model
