#include "kernels/plain_rows.h"

#include <array>
#include <bit>
#include <cstdint>

#include "kernels/text_number.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/plain_rows.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef ESPALIER_KERNELS_PLAIN_ROWS_TABLE
#define ESPALIER_KERNELS_PLAIN_ROWS_TABLE
namespace espalier::kernels {

/// shuffles[length][point]: the first `length` bytes without the one at `point`, moved to the right end of 16; 0x80
/// gives a zero. point == length: there is none.
using DigitShuffles = std::array<std::array<std::array<std::uint8_t, 16>, 16>, 16>;

consteval DigitShuffles MakeDigitShuffles() {
    DigitShuffles shuffles{};
    for (int length = 0; length < 16; ++length) {
        for (int point = 0; point < 16; ++point) {
            const int num_digits = length - (point < length ? 1 : 0);
            for (int to = 0; to < 16; ++to) {
                const int digit = num_digits - 16 + to;
                const int from = digit < point ? digit : digit + 1;
                shuffles[static_cast<std::size_t>(length)][static_cast<std::size_t>(point)]
                        [static_cast<std::size_t>(to)] =
                            digit < 0 ? std::uint8_t{0x80} : static_cast<std::uint8_t>(from);
            }
        }
    }
    return shuffles;
}
alignas(16) inline constexpr DigitShuffles kDigitShuffles = MakeDigitShuffles();

}  // namespace espalier::kernels
#endif  // ESPALIER_KERNELS_PLAIN_ROWS_TABLE

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

std::size_t PlainRows(const char*&, const char*, const PlainRowForm&, std::size_t, float*) {
    return 0;  // No vectors: every row is somebody else's.
}

#else

using Bytes = hn::FixedTag<std::uint8_t, 16>;
using Halves = hn::Repartition<std::uint16_t, Bytes>;
using Words = hn::Repartition<std::uint32_t, Bytes>;
using Longs = hn::Repartition<std::uint64_t, Bytes>;
using Text = hn::Vec<Bytes>;

template <typename Mask>
HWY_INLINE std::uint32_t BitsOf(Mask mask) {
    std::uint16_t bits = 0;
    hn::StoreMaskBits(Bytes(), mask, reinterpret_cast<std::uint8_t*>(&bits));
    return bits;
}

/// 16 digits, the first the highest, as a number; the first must be 0.
HWY_INLINE std::uint64_t ValueOf(Text digits) {
    const Halves halves;
    const Words words;
    const Longs longs;
    const auto pairs = hn::BitCast(halves, digits);
    const auto twos =
        hn::Add(hn::Mul(hn::And(pairs, hn::Set(halves, 0xFF)), hn::Set(halves, 10)), hn::ShiftRight<8>(pairs));
    // 99 * 100 still fits a half word, and the upper halves are 0.
    const auto two_words = hn::BitCast(words, twos);
    const auto low_twos = hn::BitCast(halves, hn::And(two_words, hn::Set(words, 0xFFFF)));
    const auto fours =
        hn::Add(hn::BitCast(words, hn::Mul(low_twos, hn::Set(halves, 100))), hn::ShiftRight<16>(two_words));
    const auto eights =
        hn::Add(hn::MulEven(fours, hn::Set(words, 10000)), hn::ShiftRight<32>(hn::BitCast(longs, fours)));
    return hn::GetLane(eights) * 100'000'000 + hn::ExtractLane(eights, 1);
}

/// The number from p to `delimiter`, behind which p is then; false when it is not plain.
HWY_INLINE bool PlainCell(const char*& p, Text delimiter, float& value) {
    const Bytes d;
    const Text text = hn::LoadU(d, reinterpret_cast<const std::uint8_t*>(p));
    const std::uint32_t ends = BitsOf(hn::Eq(text, delimiter));
    const auto length = static_cast<std::uint32_t>(std::countr_zero(ends | 1U << 16));
    const std::uint32_t end = 1U << length;
    const std::uint32_t inside = end - 1;
    const auto point =
        static_cast<std::uint32_t>(std::countr_zero((BitsOf(hn::Eq(text, hn::Set(d, '.'))) & inside) | end));
    const std::uint32_t negative = *p == '-' ? 1 : 0;
    const Text shifted = hn::Sub(text, hn::Set(d, '0'));
    const auto is_digit = hn::Eq(hn::Min(shifted, hn::Set(d, 9)), shifted);
    const std::uint32_t expected = inside & ~(negative | 1U << point);
    // Digits before the point, and behind it if there is one, and nothing else.
    if (length == 16 || (BitsOf(is_digit) & inside) != expected || point <= negative || point + 1 == length) {
        return false;
    }
    const Text shuffle = hn::Load(d, kDigitShuffles[length][point].data());
    const std::uint64_t mantissa = ValueOf(hn::TableLookupBytesOr0(hn::IfThenElseZero(is_digit, shifted), shuffle));
    const std::uint32_t fraction = point == length ? 0 : length - 1 - point;
    const double exact = static_cast<double>(static_cast<std::int64_t>(mantissa)) / kPowersOfTen[fraction];
    // As ParseFloat: on the border between two floats others decide. Nothing here is tiny.
    if ((std::bit_cast<std::uint64_t>(exact) & 0x1FFFFFFFULL) == 0x10000000ULL) return false;
    value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(exact)) ^ negative << 31);
    p += length + 1;
    return true;
}

std::size_t PlainRows(const char*& p, const char* end, const PlainRowForm& form, std::size_t rows_max, float* values) {
    const Bytes d;
    const Text delimiter = hn::Set(d, static_cast<std::uint8_t>(form.delimiter));
    const Text line_end = hn::Set(d, static_cast<std::uint8_t>(form.line_end));
    const char* cell = p;
    for (std::size_t row = 0; row < rows_max; ++row) {
        if (cell >= end) return row;
        float* const out = values + row * form.num_cells;
        for (std::size_t column = 0; column + 1 < form.num_cells; ++column) {
            if (!PlainCell(cell, delimiter, out[column])) return row;
        }
        if (!PlainCell(cell, line_end, out[form.num_cells - 1])) return row;
        if (form.line_end == '\r' && *cell == '\n') ++cell;
        p = cell;
    }
    return rows_max;
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(PlainRows);

std::size_t ParsePlainRows(const char*& p, const char* end, const PlainRowForm& form, std::size_t rows_max,
                           float* values) {
    return HWY_DYNAMIC_DISPATCH(PlainRows)(p, end, form, rows_max, values);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
