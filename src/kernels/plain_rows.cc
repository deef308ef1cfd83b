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

/// divisors[negative][length - point]: what the digits of a cell are divided by; 0: it has no point.
inline constexpr double kDivisors[2][16] = {
    {1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14},
    {-1, -1e0, -1e1, -1e2, -1e3, -1e4, -1e5, -1e6, -1e7, -1e8, -1e9, -1e10, -1e11, -1e12, -1e13, -1e14}};

}  // namespace espalier::kernels
#endif  // ESPALIER_KERNELS_PLAIN_ROWS_TABLE

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if !HWY_ARCH_X86 || HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

std::size_t PlainRows(const char*&, const char*, const PlainRowForm&, std::size_t, float*, float*) {
    return 0;  // No vectors: every row is somebody else's.
}

#else

using Bytes = hn::FixedTag<std::uint8_t, 16>;
using Text = hn::Vec<Bytes>;
using Doubles = hn::CappedTag<double, 4>;
constexpr std::size_t kCellsAtOnce = 64;  // of a row that are read before they are made floats

/// Cells of one row, read and not yet made floats.
struct Cells {
    /// The digits of each as two numbers of eight, the high one in the low half.
    HWY_ALIGN std::uint64_t digits[kCellsAtOnce];
    HWY_ALIGN double divisors[kCellsAtOnce];  ///< signed powers of ten
};

HWY_INLINE std::uint32_t BitsOf(hn::Mask<Bytes> mask) {
    std::uint16_t bits = 0;
    hn::StoreMaskBits(Bytes(), mask, reinterpret_cast<std::uint8_t*>(&bits));
    return bits;
}

/// 16 digits, the first the highest, as two numbers of eight. Highway 1.0.3 has no such multiplications.
HWY_INLINE std::uint64_t EightsOf(Text digits) {
    const __m128i twos = _mm_maddubs_epi16(digits.raw, _mm_set1_epi16(0x010A));  // times 10 and 1
    const __m128i fours = _mm_madd_epi16(twos, _mm_set1_epi32(0x0001'0064));     // times 100 and 1
    const __m128i packed = _mm_packs_epi32(fours, fours);
    const __m128i eights = _mm_madd_epi16(packed, _mm_set1_epi32(0x0001'2710));  // times 10,000 and 1
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(eights));
}

/// The number from p to `delimiter`, behind which p is then; false when it is not plain. Where it ends is known after
/// one comparison, so that the next cell can begin; no branch is taken before all is known of this one.
HWY_INLINE bool ReadCell(const char*& p, char delimiter, std::uint64_t& digits, double& divisor) {
    const Bytes d;
    const Text text = hn::LoadU(d, reinterpret_cast<const std::uint8_t*>(p));
    const std::uint32_t ends = BitsOf(hn::Eq(text, hn::Set(d, static_cast<std::uint8_t>(delimiter))));
    const Text shifted = hn::Sub(text, hn::Set(d, '0'));
    const auto is_digit = hn::Eq(hn::Min(shifted, hn::Set(d, 9)), shifted);
    const std::uint32_t digit_bits = BitsOf(is_digit);
    const std::uint32_t points = BitsOf(hn::Eq(text, hn::Set(d, '.')));
    const std::size_t negative = *p == '-' ? 1 : 0;
    if (ends == 0) return false;
    const std::uint32_t end = ends & -ends;
    const auto length = static_cast<std::size_t>(std::countr_zero(ends));
    // What stands before the end and is no digit and no sign: the point, if there is one.
    const std::uint32_t others = ~digit_bits & ~static_cast<std::uint32_t>(negative) & (end - 1);
    const auto point = static_cast<std::size_t>(std::countr_zero(others | end));
    const bool one_point = ((others & ~points) | (others & (others - 1))) == 0;
    const std::uint32_t digits_at_ends = digit_bits >> negative & (digit_bits << 1) >> length & 1;
    if (!one_point || digits_at_ends == 0) return false;
    const Text shuffle = hn::Load(d, kDigitShuffles[length][point].data());
    digits = EightsOf(hn::TableLookupBytesOr0(hn::IfThenElseZero(is_digit, shifted), shuffle));
    divisor = kDivisors[negative][length - point];
    p += length + 1;
    return true;
}

/// As ParseFloat: on the border between two floats others decide, for which this is false. No cell is tiny.
HWY_INLINE bool MakeFloat(const Cells& cells, std::size_t cell, float& value) {
    const auto high = static_cast<double>(static_cast<std::int64_t>(cells.digits[cell] & 0xFFFFFFFFU));
    const auto low = static_cast<double>(static_cast<std::int64_t>(cells.digits[cell] >> 32));
    const double exact = (high * 1e8 + low) / cells.divisors[cell];  // Whole numbers below 2^53 are exact.
    value = static_cast<float>(exact);
    return (std::bit_cast<std::uint64_t>(exact) & 0x1FFFFFFFULL) != 0x10000000ULL;
}

/// MakeFloat of cells [begin, end).
HWY_INLINE bool MakeFloats(const Cells& cells, std::size_t begin, std::size_t end, float* values) {
    const Doubles d;
    const hn::RebindToUnsigned<Doubles> du;
    const hn::Rebind<float, Doubles> df;
    // A number below 2^52 stands in the low bits of 2^52.
    const auto magic = hn::Set(d, 0x1p52);
    const auto to_double = [&](auto whole) HWY_ATTR {
        return hn::Sub(hn::BitCast(d, hn::Or(whole, hn::BitCast(du, magic))), magic);
    };
    auto on_border = hn::Zero(du);
    std::size_t i = begin;
    for (; i + hn::Lanes(d) <= end; i += hn::Lanes(d)) {
        const auto digits = hn::LoadU(du, cells.digits + i);
        const auto high = to_double(hn::And(digits, hn::Set(du, 0xFFFFFFFFU)));
        const auto low = to_double(hn::ShiftRight<32>(digits));
        const auto exact = hn::Div(hn::Add(hn::Mul(high, hn::Set(d, 1e8)), low), hn::LoadU(d, cells.divisors + i));
        const auto rest = hn::And(hn::BitCast(du, exact), hn::Set(du, 0x1FFFFFFFU));
        on_border = hn::Or(on_border, hn::VecFromMask(du, hn::Eq(rest, hn::Set(du, 0x10000000U))));
        hn::StoreU(hn::DemoteTo(df, exact), df, values + (i - begin));
    }
    bool decided = hn::AllTrue(du, hn::Eq(on_border, hn::Zero(du)));
    for (; i < end; ++i) decided = MakeFloat(cells, i, values[i - begin]) && decided;
    return decided;
}

/// The row at p, which is behind its line end then; false when it is not plain.
HWY_INLINE bool ReadRow(const char*& p, const PlainRowForm& form, float& first_cell, float* other_cells) {
    Cells cells;
    for (std::size_t begin = 0; begin < form.num_cells; begin += kCellsAtOnce) {
        const std::size_t size = HWY_MIN(kCellsAtOnce, form.num_cells - begin);
        const bool has_last = begin + size == form.num_cells;
        const std::size_t num_delimited = size - (has_last ? 1 : 0);
        for (std::size_t i = 0; i < num_delimited; ++i) {
            if (!ReadCell(p, form.delimiter, cells.digits[i], cells.divisors[i])) return false;
        }
        if (has_last && !ReadCell(p, form.line_end, cells.digits[size - 1], cells.divisors[size - 1])) return false;
        const std::size_t num_first = begin == 0 ? 1 : 0;
        if (num_first > 0 && !MakeFloat(cells, 0, first_cell)) return false;
        if (!MakeFloats(cells, num_first, size, other_cells)) return false;
        other_cells += size - num_first;
    }
    if (form.line_end == '\r' && *p == '\n') ++p;
    return true;
}

std::size_t PlainRows(const char*& p, const char* end, const PlainRowForm& form, std::size_t rows_max,
                      float* first_cells, float* other_cells) {
    const std::size_t num_others = form.num_cells - 1;
    for (std::size_t row = 0; row < rows_max; ++row) {
        const char* next = p;
        if (p >= end || !ReadRow(next, form, first_cells[row], other_cells + row * num_others)) return row;
        p = next;
    }
    return rows_max;
}

#endif  // HWY_TARGET

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
