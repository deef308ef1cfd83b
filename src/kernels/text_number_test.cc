#include "kernels/text_number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

namespace espalier::kernels {
namespace {

struct Parsed {
    bool ok;
    float value;
    std::size_t length;
};

Parsed Parse(const std::string& text) {
    std::string padded = text + '\n' + std::string(kTextPadding, 'x');
    Parsed parsed{};
    const char* stop = ParseFloat(padded.data(), padded.data() + text.size(), parsed.value);
    parsed.ok = stop != nullptr;
    parsed.length = parsed.ok ? static_cast<std::size_t>(stop - padded.data()) : 0;
    return parsed;
}

void ExpectLikeStrtof(const std::string& text) {
    Parsed parsed = Parse(text);
    ASSERT_TRUE(parsed.ok) << text;
    EXPECT_EQ(parsed.length, text.size()) << text;
    float expected = std::strtof(text.c_str(), nullptr);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(parsed.value), std::bit_cast<std::uint32_t>(expected)) << text;
}

TEST(TextNumberTest, ReadsOrdinaryNumbers) {
    for (const char* text : {"0",
                             "-0",
                             "0.0",
                             "1",
                             "7",
                             "12345678",
                             "123456789",
                             "1234567.5",
                             "0.01171875",
                             "0.5",
                             "1e5",
                             "1E-3",
                             "3.4028235e38",
                             "1e-45",
                             "1.17549435e-38",
                             "16777217",
                             "16777216.5",
                             "0.1000000014901161193847656",
                             "123456.7890123456",
                             "0.00000000000000001",
                             "5.",
                             "-2.5",
                             "9007199254740993.0",
                             "0.12345678",
                             "0.123456789",
                             "0.1234567890123456"}) {
        ExpectLikeStrtof(text);
    }
}

TEST(TextNumberTest, StopsAtTheFirstForeignCharacter) {
    EXPECT_EQ(Parse("1.5 2").length, 3U);
    EXPECT_EQ(Parse("12:3").length, 2U);
    EXPECT_EQ(Parse("1e").length, 1U);
    EXPECT_EQ(Parse("1.5abc").length, 3U);
}

TEST(TextNumberTest, RefusesWhatIsNoNumber) {
    for (const char* text : {"", "-", "+", ".", "abc", " 1", ":", "+-1", "--1", "e5"}) {
        EXPECT_FALSE(Parse(text).ok) << text;
    }
}

TEST(TextNumberTest, KnowsTheSpecialValues) {
    EXPECT_TRUE(std::isnan(Parse("nan").value));
    EXPECT_TRUE(std::isnan(Parse("NaN").value));
    EXPECT_TRUE(std::isinf(Parse("inf").value));
    EXPECT_EQ(Parse("-INFINITY").value, -std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isinf(Parse("1e400").value));
    EXPECT_EQ(Parse("1e-400").value, 0.0F);
    EXPECT_EQ(Parse("+2.5").value, 2.5F);
    EXPECT_TRUE(std::signbit(Parse("-0").value));
}

// Every float printed with 1 to 17 digits comes back as strtof reads it; the seed is fixed so that a failure repeats.
TEST(TextNumberTest, AgreesWithStrtofOnRandomText) {
    std::mt19937_64 random(20261123);
    char text[64];
    for (int round = 0; round < 200000; ++round) {
        std::uint64_t bits = random();
        auto value = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
        if (!std::isfinite(value)) continue;
        int digits = static_cast<int>(bits >> 32) % 17 + 1;
        digits = digits < 1 ? 1 : digits;
        switch ((bits >> 60) % 3) {
            case 0:
                std::snprintf(text, sizeof text, "%.*g", digits, static_cast<double>(value));
                break;
            case 1:
                std::snprintf(text, sizeof text, "%.*f", digits,
                              static_cast<double>(random() % 100000) / 1000.0 + static_cast<double>(random()) * 1e-20);
                break;
            default:
                std::snprintf(text, sizeof text, "%llu.%llu",
                              static_cast<unsigned long long>(random() >> (random() % 64)),
                              static_cast<unsigned long long>(random() >> (random() % 64)));
        }
        ExpectLikeStrtof(text);
        if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
}

// The border between neighbouring floats, and one unit of the 17th digit on both sides of it, where rounding twice
// would go wrong.
TEST(TextNumberTest, RoundsOnceAtTheBorderBetweenFloats) {
    std::mt19937 random(7);
    char text[64];
    for (int round = 0; round < 20000; ++round) {
        float low = static_cast<float>(random() % 1000000) / 4096.0F + 0.001F;
        float high = std::nextafterf(low, 1e9F);
        double middle = (static_cast<double>(low) + static_cast<double>(high)) / 2;
        for (int digits : {12, 15, 16, 17, 25}) {
            std::snprintf(text, sizeof text, "%.*f", digits, middle);
            ExpectLikeStrtof(text);
        }
        if (HasNonfatalFailure()) return;
    }
}

TEST(TextNumberTest, CountsAndReadsDigits) {
    for (int n = 0; n <= 8; ++n) {
        std::string text = std::string("12345678").substr(0, static_cast<std::size_t>(n)) + ":abcdefgh";
        EXPECT_EQ(CountDigits(Load8(text.data())), n);
        if (n == 0) continue;
        EXPECT_EQ(DigitsValue(Load8(text.data()), n), std::strtoul(text.c_str(), nullptr, 10));
    }
    for (int character = 0; character < 256; ++character) {
        std::string text = "1" + std::string(1, static_cast<char>(character)) + "345678";
        bool digit = character >= '0' && character <= '9';
        EXPECT_EQ(CountDigits(Load8(text.data())), digit ? 8 : 1) << character;
    }
}

}  // namespace
}  // namespace espalier::kernels
