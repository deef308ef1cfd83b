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

std::size_t PlainRows(const char*&, const char*, const PlainRowForm&, std::size_t, float*, float*) {
    return 0;  // No vectors: every row is somebody else's.
}

#else

using Bytes = hn::FixedTag<std::uint8_t, 16>;
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
    const auto eights = hn::BitCast(Longs(), digits);
    return EightDigitsValue(hn::GetLane(eights)) * 100'000'000 + EightDigitsValue(hn::ExtractLane(eights, 1));
}

/// The number from p to `delimiter`, behind which p is then; false when it is not plain.
HWY_INLINE bool PlainCell(const char*& p, char delimiter, float& value) {
    const Bytes d;
    const Text text = hn::LoadU(d, reinterpret_cast<const std::uint8_t*>(p));
    const Text shifted = hn::Sub(text, hn::Set(d, '0'));
    const auto is_digit = hn::Eq(hn::Min(shifted, hn::Set(d, 9)), shifted);
    const std::uint32_t negative = *p == '-' ? 1 : 0;
    // What is no digit and no sign: first the point, if there is one, then the delimiter.
    std::uint32_t others = (BitsOf(is_digit) ^ 0xFFFF) & ~negative;
    if (others == 0) return false;
    const auto point = static_cast<std::uint32_t>(std::countr_zero(others));
    std::uint32_t length = point;
    std::uint32_t fraction = 0;
    // A column mostly has a point in every row, or in none.
    if (p[point] == '.') {
        others &= others - 1;
        if (others == 0) return false;
        length = static_cast<std::uint32_t>(std::countr_zero(others));
        fraction = length - point - 1;
        if (fraction == 0) return false;
    }
    if (p[length] != delimiter || point <= negative) return false;
    const Text shuffle = hn::Load(d, kDigitShuffles[length][point].data());
    const std::uint64_t mantissa = ValueOf(hn::TableLookupBytesOr0(hn::IfThenElseZero(is_digit, shifted), shuffle));
    const double exact = static_cast<double>(static_cast<std::int64_t>(mantissa)) / kPowersOfTen[fraction];
    // As ParseFloat: on the border between two floats others decide. Nothing here is tiny.
    if ((std::bit_cast<std::uint64_t>(exact) & 0x1FFFFFFFULL) == 0x10000000ULL) return false;
    value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(exact)) ^ negative << 31);
    p += length + 1;
    return true;
}

std::size_t PlainRows(const char*& p, const char* end, const PlainRowForm& form, std::size_t rows_max,
                      float* first_cells, float* other_cells) {
    const char delimiter = form.delimiter;
    const char line_end = form.line_end;
    const std::size_t num_others = form.num_cells - 1;
    const char* cell = p;
    for (std::size_t row = 0; row < rows_max; ++row) {
        if (cell >= end) return row;
        if (!PlainCell(cell, num_others == 0 ? line_end : delimiter, first_cells[row])) return row;
        float* const out = other_cells + row * num_others;
        for (std::size_t i = 0; i + 1 < num_others; ++i) {
            if (!PlainCell(cell, delimiter, out[i])) return row;
        }
        if (num_others > 0 && !PlainCell(cell, line_end, out[num_others - 1])) return row;
        if (line_end == '\r' && *cell == '\n') ++cell;
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
                           float* first_cells, float* other_cells) {
    return HWY_DYNAMIC_DISPATCH(PlainRows)(p, end, form, rows_max, first_cells, other_cells);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
