// Decimal text to float32, correctly rounded, at the speed of memory for the short numbers data files are made of.
//
// Steps: up to 16 digits are read eight at a time inside one 64-bit word (SWAR); mantissa / 10^k is one correctly
// rounded double division (mantissa < 2^53, k <= 22: both exact); rounding that to float is right unless the double
// lies exactly on the border between two floats. That case, exponents, longer numbers, nan and inf go to fast_float.
// Contract: at least kTextPadding bytes after `end` are readable. Numbers never extend over a byte that cannot be part
// of one, so a newline at `end` stops them. Thread-safe.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace espalier::kernels {

inline constexpr std::size_t kTextPadding = 64;

static_assert(std::endian::native == std::endian::little, "the first character is the lowest byte of a word");

inline std::uint64_t Load8(const char* p) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    return word;
}

inline std::uint32_t Load4(const char* p) {
    std::uint32_t word;
    std::memcpy(&word, p, sizeof word);
    return word;
}

inline bool IsDigit(char c) {
    return static_cast<unsigned char>(c - '0') < 10;
}

/// How many of the eight characters, counted from the first, are decimal digits (0..8).
inline int CountDigits(std::uint64_t word) {
    std::uint64_t digits = word ^ 0x3030303030303030ULL;
    std::uint64_t others = ((digits + 0x7676767676767676ULL) | digits) & 0x8080808080808080ULL;
    return others == 0 ? 8 : std::countr_zero(others) / 8;
}

/// The number that eight digits (bytes 0..9, the first in the lowest byte) are.
inline std::uint64_t EightDigitsValue(std::uint64_t digits) {
    digits = digits * 10 + (digits >> 8);
    return ((digits & 0x000000FF000000FFULL) * 0x000F424000000064ULL +
            ((digits >> 16) & 0x000000FF000000FFULL) * 0x0000271000000001ULL) >>
           32;
}

/// The value of the first `num_digits` (1..8) characters of the word, all digits.
inline std::uint32_t DigitsValue(std::uint64_t word, int num_digits) {
    return static_cast<std::uint32_t>(EightDigitsValue((word ^ 0x3030303030303030ULL) << (64 - 8 * num_digits)));
}

inline constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                          1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

inline constexpr std::uint64_t kWholePowersOfTen[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

/// Any number: an optional sign, digits, an optional fraction and exponent, or nan, inf, infinity in any case.
/// Returns the first character after it, or nullptr if there is none at `p`. Overflow gives infinity.
const char* ParseFloatSlow(const char* p, const char* end, float& value);

/// The same as ParseFloatSlow.
inline const char* ParseFloat(const char* p, const char* end, float& value) {
    const char* start = p;
    bool negative = *p == '-';
    p += negative ? 1 : 0;
    std::uint64_t word = Load8(p);
    int whole_digits = CountDigits(word);
    if (whole_digits == 0 || whole_digits == 8) return ParseFloatSlow(start, end, value);
    std::uint64_t mantissa = DigitsValue(word, whole_digits);
    p += whole_digits;
    int fraction_digits = 0;
    if (*p == '.') {
        ++p;
        word = Load8(p);
        fraction_digits = CountDigits(word);
        if (fraction_digits == 0) return ParseFloatSlow(start, end, value);
        mantissa = mantissa * kWholePowersOfTen[fraction_digits] + DigitsValue(word, fraction_digits);
        p += fraction_digits;
        // One branch for both: whether there are eight digits is anybody's guess, whether there are more is not.
        if ((static_cast<unsigned>(fraction_digits == 8) & static_cast<unsigned>(IsDigit(*p))) != 0) {
            word = Load8(p);
            int more = CountDigits(word);
            // 19 digits may not fit into 64 bits.
            if (more == 8 || whole_digits + 8 + more > 18) return ParseFloatSlow(start, end, value);
            if (more > 0) {
                mantissa = mantissa * kWholePowersOfTen[more] + DigitsValue(word, more);
                p += more;
                fraction_digits += more;
            }
            if (mantissa >= (std::uint64_t{1} << 53)) return ParseFloatSlow(start, end, value);
        }
    }
    if ((*p | 0x20) == 'e') return ParseFloatSlow(start, end, value);
    double exact = static_cast<double>(mantissa) / kPowersOfTen[fraction_digits];
    // On the border between two floats only the digits beyond the double can decide.
    if ((std::bit_cast<std::uint64_t>(exact) & 0x1FFFFFFFULL) == 0x10000000ULL || (exact < 1.2e-38 && mantissa != 0)) {
        return ParseFloatSlow(start, end, value);
    }
    auto rounded = static_cast<float>(exact);
    value = negative ? -rounded : rounded;
    return p;
}

}  // namespace espalier::kernels
