#include "base/crc.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace espalier {
namespace {

template <CrcKind kKind>
struct Polynomial;  // reflected: bit 0 is the coefficient of the highest power but one
template <>
struct Polynomial<CrcKind::kCrc32> {
    static constexpr std::uint32_t kValue = 0xEDB88320;
};
template <>
struct Polynomial<CrcKind::kCrc32c> {
    static constexpr std::uint32_t kValue = 0x82F63B78;
};
template <>
struct Polynomial<CrcKind::kCrc64Nvme> {
    static constexpr std::uint64_t kValue = 0x9A6C9329AC4BC9B5;
};

template <typename Word>
using Tables = std::array<std::array<Word, 256>, 8>;

// tables[0] advances the state by one byte; tables[n] by that byte followed by n zero bytes.
template <CrcKind kKind, typename Word>
constexpr Tables<Word> MakeTables() {
    Tables<Word> tables{};
    for (unsigned byte = 0; byte < 256; ++byte) {
        Word state = static_cast<Word>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            state = static_cast<Word>((state >> 1) ^ ((state & 1) != 0 ? Polynomial<kKind>::kValue : Word{0}));
        }
        tables[0][byte] = state;
    }
    for (unsigned n = 1; n < 8; ++n) {
        for (unsigned byte = 0; byte < 256; ++byte) {
            const Word previous = tables[n - 1][byte];
            tables[n][byte] = static_cast<Word>((previous >> 8) ^ tables[0][previous & 0xff]);
        }
    }
    return tables;
}

template <CrcKind kKind, typename Word>
constexpr Tables<Word> kTables = MakeTables<kKind, Word>();

// Powers of x modulo the polynomial, in the reflected form of a state: x^0 is the top bit.
template <CrcKind kKind, typename Word>
constexpr Word MultiplyByX(Word value) {
    return static_cast<Word>((value >> 1) ^ ((value & 1) != 0 ? Polynomial<kKind>::kValue : Word{0}));
}

template <CrcKind kKind, typename Word>
constexpr Word PowerOfX(unsigned exponent) {
    Word value = static_cast<Word>(Word{1} << (sizeof(Word) * 8 - 1));
    for (unsigned i = 0; i < exponent; ++i) value = MultiplyByX<kKind, Word>(value);
    return value;
}

template <CrcKind kKind, typename Word>
Word Multiply(Word a, Word b) {
    Word product = 0;
    for (Word bit = static_cast<Word>(Word{1} << (sizeof(Word) * 8 - 1)); bit != 0; bit = static_cast<Word>(bit >> 1)) {
        if ((a & bit) != 0) product = static_cast<Word>(product ^ b);
        b = MultiplyByX<kKind, Word>(b);
    }
    return product;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) std::uint32_t ExtendCrc32cSse(std::uint32_t state, std::string_view bytes) {
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t wide = state;
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    state = static_cast<std::uint32_t>(wide);
    for (; left > 0; ++at, --left) state = _mm_crc32_u8(state, static_cast<unsigned char>(*at));
    return state;
}

__attribute__((target("pclmul,sse4.1"))) inline __m128i Fold(__m128i block, __m128i constants, __m128i next) {
    return _mm_xor_si128(next, _mm_xor_si128(_mm_clmulepi64_si128(block, constants, 0x00),
                                             _mm_clmulepi64_si128(block, constants, 0x11)));
}

// The pair of constants that moves a 128-bit block `distance_bits` towards the end of the message. The product of two
// reflected 64-bit words stands one bit too low, hence the - 1.
template <CrcKind kKind, typename Word>
constexpr std::array<std::uint64_t, 2> FoldConstants(unsigned distance_bits) {
    constexpr unsigned kShift = 64 - sizeof(Word) * 8;
    return {static_cast<std::uint64_t>(PowerOfX<kKind, Word>(distance_bits + 64 - 1)) << kShift,
            static_cast<std::uint64_t>(PowerOfX<kKind, Word>(distance_bits - 1)) << kShift};
}

// Folds four 16-byte blocks at a time, then the four into one, whose 16 bytes stand for the whole message before them:
// the table code takes them and the tail from a zero state. Needs at least 64 bytes.
template <CrcKind kKind, typename Word>
__attribute__((target("pclmul,sse4.1"))) Word ExtendByMultiplication(Word state, std::string_view bytes) {
    static constexpr auto kBy512 = FoldConstants<kKind, Word>(512);
    static constexpr auto kBy128 = FoldConstants<kKind, Word>(128);
    const auto load = [](const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); };
    const __m128i by_512 = load(reinterpret_cast<const char*>(kBy512.data()));
    const __m128i by_128 = load(reinterpret_cast<const char*>(kBy128.data()));

    const char* at = bytes.data();
    std::size_t left = bytes.size();
    __m128i block[4];
    for (int i = 0; i < 4; ++i) block[i] = load(at + 16 * i);
    block[0] = _mm_xor_si128(block[0], _mm_set_epi64x(0, static_cast<long long>(state)));
    at += 64;
    left -= 64;
    for (; left >= 64; at += 64, left -= 64) {
        for (int i = 0; i < 4; ++i) block[i] = Fold(block[i], by_512, load(at + 16 * i));
    }
    __m128i all = Fold(block[0], by_128, block[1]);
    all = Fold(all, by_128, block[2]);
    all = Fold(all, by_128, block[3]);
    for (; left >= 16; at += 16, left -= 16) all = Fold(all, by_128, load(at));
    char last[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(last), all);
    const Word folded = Crc<kKind, Word>::ExtendPortable(0, std::string_view(last, sizeof last));
    return Crc<kKind, Word>::ExtendPortable(folded, std::string_view(at, left));
}

#endif

}  // namespace

template <CrcKind kKind, typename Word>
Word Crc<kKind, Word>::ExtendPortable(Word state, std::string_view bytes) {
    static_assert(std::endian::native == std::endian::little);
    const auto& tables = kTables<kKind, Word>;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        word ^= state;
        state =
            static_cast<Word>(tables[7][word & 0xff] ^ tables[6][(word >> 8) & 0xff] ^ tables[5][(word >> 16) & 0xff] ^
                              tables[4][(word >> 24) & 0xff] ^ tables[3][(word >> 32) & 0xff] ^
                              tables[2][(word >> 40) & 0xff] ^ tables[1][(word >> 48) & 0xff] ^ tables[0][word >> 56]);
    }
    for (; left > 0; ++at, --left) {
        state = static_cast<Word>((state >> 8) ^ tables[0][(state ^ static_cast<unsigned char>(*at)) & 0xff]);
    }
    return state;
}

template <CrcKind kKind, typename Word>
Word Crc<kKind, Word>::Extend(Word state, std::string_view bytes) {
#if defined(__x86_64__)
    if constexpr (kKind == CrcKind::kCrc32c) {
        if (__builtin_cpu_supports("sse4.2")) return ExtendCrc32cSse(state, bytes);
    } else {
        if (bytes.size() >= 64 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) {
            return ExtendByMultiplication<kKind, Word>(state, bytes);
        }
    }
#endif
    return ExtendPortable(state, bytes);
}

template <CrcKind kKind, typename Word>
Word Crc<kKind, Word>::Combine(Word a, Word b, std::uint64_t b_bytes) {
    // a times x^(8 * b_bytes), by squaring; the inversions at both ends cancel out.
    Word power = PowerOfX<kKind, Word>(8);
    for (; b_bytes != 0; b_bytes >>= 1) {
        if ((b_bytes & 1) != 0) a = Multiply<kKind, Word>(a, power);
        power = Multiply<kKind, Word>(power, power);
    }
    return static_cast<Word>(a ^ b);
}

template class Crc<CrcKind::kCrc32, std::uint32_t>;
template class Crc<CrcKind::kCrc32c, std::uint32_t>;
template class Crc<CrcKind::kCrc64Nvme, std::uint64_t>;

std::string AsBigEndian(std::uint32_t value) {
    std::string bytes(4, '\0');
    for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(value >> (24 - 8 * i));
    return bytes;
}

std::string AsBigEndian(std::uint64_t value) {
    std::string bytes(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (56 - 8 * i));
    return bytes;
}

}  // namespace espalier
