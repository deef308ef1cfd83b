#include "kernels/row_split.h"

#include <bit>

#include "kernels/lane_sets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/row_split.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::CappedTag<std::int32_t, 16>;

HWY_INLINE hn::Vec<Lanes> LoadCodes(Lanes d, const std::uint32_t* codes) {
    return hn::BitCast(d, hn::LoadU(hn::RebindToUnsigned<Lanes>(), codes));
}
template <typename Code>
HWY_INLINE hn::Vec<Lanes> LoadCodes(Lanes d, const Code* codes) {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<Code, Lanes>(), codes));
}

/// Writes the lanes of `set`, a bit each, one after another, and something behind them up to a whole vector.
template <typename D>
HWY_INLINE std::size_t StoreLanes(D d, hn::Vec<D> lanes, const std::uint8_t* set, std::uint16_t* to) {
#if HWY_TARGET == HWY_AVX2
    // Lane k of 16 bits is the bytes 2k and 2k + 1.
    const auto order = hn::PromoteTo(d, hn::LoadU(hn::Rebind<std::uint8_t, D>(), kLanesOfSet[set[0]].data()));
    const auto bytes = hn::Add(hn::Mul(order, hn::Set(d, 0x0202)), hn::Set(d, 0x0100));
    hn::StoreU(hn::TableLookupBytes(lanes, bytes), d, to);
    return static_cast<std::size_t>(std::popcount(set[0]));
#else
    return hn::CompressStore(lanes, hn::LoadMaskBits(d, set), d, to);
#endif
}

template <typename Code>
std::size_t Split(const std::uint16_t* rows, std::size_t num_rows, const Code* codes, const SplitRoute& route,
                  std::uint16_t* left, std::uint16_t* right) {
    const Lanes d;
    const hn::Rebind<std::uint16_t, Lanes> d16;
    const std::size_t lanes = hn::Lanes(d);
    const auto limit = hn::Set(d, static_cast<std::int32_t>(route.num_left));
    const auto first = hn::Set(d, static_cast<std::int32_t>(route.also_left[0]));
    const auto second = hn::Set(d, static_cast<std::int32_t>(route.also_left[1]));
    std::size_t num_left = 0;
    std::size_t num_right = 0;
    std::size_t i = 0;
    for (; i + lanes <= num_rows; i += lanes) {
        const auto code = LoadCodes(d, codes + i);
        const auto row = hn::LoadU(d16, rows + i);
        const auto goes_left = hn::Or(hn::Lt(code, limit), hn::Or(hn::Eq(code, first), hn::Eq(code, second)));
        std::uint8_t left_set[8] = {};
        std::uint8_t right_set[8] = {};
        hn::StoreMaskBits(d, goes_left, left_set);
        hn::StoreMaskBits(d, hn::Not(goes_left), right_set);
        // Whole vectors are written. They end before rows + i + lanes, which has been read.
        const std::size_t went_left = StoreLanes(d16, row, left_set, left + num_left);
        StoreLanes(d16, row, right_set, right + num_right);
        num_left += went_left;
        num_right += lanes - went_left;
    }
    for (; i < num_rows; ++i) {
        const std::uint32_t code = codes[i];
        const std::uint16_t row = rows[i];
        const bool goes_left = code < route.num_left || code == route.also_left[0] || code == route.also_left[1];
        (goes_left ? left[num_left++] : right[num_right++]) = row;
    }
    return num_left;
}

std::size_t Split8(const std::uint16_t* rows, std::size_t num_rows, const std::uint8_t* codes, const SplitRoute& route,
                   std::uint16_t* left, std::uint16_t* right) {
    return Split(rows, num_rows, codes, route, left, right);
}
std::size_t Split16(const std::uint16_t* rows, std::size_t num_rows, const std::uint16_t* codes,
                    const SplitRoute& route, std::uint16_t* left, std::uint16_t* right) {
    return Split(rows, num_rows, codes, route, left, right);
}
std::size_t Split32(const std::uint16_t* rows, std::size_t num_rows, const std::uint32_t* codes,
                    const SplitRoute& route, std::uint16_t* left, std::uint16_t* right) {
    return Split(rows, num_rows, codes, route, left, right);
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(Split8);
HWY_EXPORT(Split16);
HWY_EXPORT(Split32);

template <>
std::size_t SplitRows(const std::uint16_t* rows, std::size_t num_rows, const std::uint8_t* codes,
                      const SplitRoute& route, std::uint16_t* left, std::uint16_t* right) {
    return HWY_DYNAMIC_DISPATCH(Split8)(rows, num_rows, codes, route, left, right);
}
template <>
std::size_t SplitRows(const std::uint16_t* rows, std::size_t num_rows, const std::uint16_t* codes,
                      const SplitRoute& route, std::uint16_t* left, std::uint16_t* right) {
    return HWY_DYNAMIC_DISPATCH(Split16)(rows, num_rows, codes, route, left, right);
}
template <>
std::size_t SplitRows(const std::uint16_t* rows, std::size_t num_rows, const std::uint32_t* codes,
                      const SplitRoute& route, std::uint16_t* left, std::uint16_t* right) {
    return HWY_DYNAMIC_DISPATCH(Split32)(rows, num_rows, codes, route, left, right);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
