#include "hosting/number_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace espalier::hosting {
namespace {

std::string Text(float value) {
    std::string out;
    AppendPythonFloat(out, value);
    return out;
}

// Right-hand sides: python3 -c "import struct; print(repr(struct.unpack('<f', struct.pack('<f', X))[0]))".
TEST(NumberText, IsPythonsReprOfTheWidenedFloat) {
    EXPECT_EQ(Text(7.0F), "7.0");
    EXPECT_EQ(Text(0.0F), "0.0");
    EXPECT_EQ(Text(-0.0F), "-0.0");
    EXPECT_EQ(Text(-3.0F), "-3.0");
    EXPECT_EQ(Text(0.1F), "0.10000000149011612");
    EXPECT_EQ(Text(0.4386189F), "0.43861889839172363");
    EXPECT_EQ(Text(1e-5F), "9.999999747378752e-06");
    EXPECT_EQ(Text(1e-4F), "9.999999747378752e-05");
    EXPECT_EQ(Text(0.001F), "0.0010000000474974513");
    EXPECT_EQ(Text(123456.789F), "123456.7890625");
    EXPECT_EQ(Text(16777216.0F), "16777216.0");
    EXPECT_EQ(Text(16777218.0F), "16777218.0");
    EXPECT_EQ(Text(1e15F), "999999986991104.0");
    EXPECT_EQ(Text(1e16F), "1.0000000272564224e+16");
    EXPECT_EQ(Text(3.4028235e38F), "3.4028234663852886e+38");
    EXPECT_EQ(Text(1e-45F), "1.401298464324817e-45");
    EXPECT_EQ(Text(-2.5e-10F), "-2.4999999292951713e-10");
    EXPECT_EQ(Text(0.5F), "0.5");
}

TEST(NumberText, SpecialValuesDifferInJson) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    EXPECT_EQ(Text(std::numeric_limits<float>::quiet_NaN()), "nan");
    EXPECT_EQ(Text(kInfinity) + Text(-kInfinity), "inf-inf");
    std::string json;
    for (float value : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity, 2.0F}) {
        AppendPythonJsonFloat(json, value);
        json += ' ';
    }
    EXPECT_EQ(json, "NaN Infinity -Infinity 2.0 ");
}

}  // namespace
}  // namespace espalier::hosting
