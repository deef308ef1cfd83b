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

/// Writes the lanes of `mask` one after another, and something behind them up to a whole vector.
template <typename D, typename M>
HWY_INLINE std::size_t StoreLanes(D d, hn::Vec<D> lanes, M mask, std::uint32_t* to) {
#if HWY_TARGET == HWY_AVX2
    std::uint8_t set[8];
    hn::StoreMaskBits(d, mask, set);
    const auto order = hn::PromoteTo(d, hn::LoadU(hn::Rebind<std::uint8_t, D>(), kLanesOfSet[set[0]].data()));
    hn::StoreU(hn::TableLookupLanes(lanes, hn::IndicesFromVec(d, order)), d, to);
    return static_cast<std::size_t>(std::popcount(set[0]));
#else
    return hn::CompressStore(lanes, mask, d, to);
#endif
}

template <typename Code>
std::size_t Split(const std::uint32_t* rows, std::size_t num_rows, const Code* codes, const SplitRoute& route,
                  std::uint32_t* left, std::uint32_t* right) {
    const Lanes d;
    const hn::RebindToUnsigned<Lanes> du;
    const std::size_t lanes = hn::Lanes(d);
    const auto limit = hn::Set(d, static_cast<std::int32_t>(route.num_left));
    const auto first = hn::Set(d, static_cast<std::int32_t>(route.also_left[0]));
    const auto second = hn::Set(d, static_cast<std::int32_t>(route.also_left[1]));
    std::size_t num_left = 0;
    std::size_t num_right = 0;
    std::size_t i = 0;
    for (; i + lanes <= num_rows; i += lanes) {
        const auto code = LoadCodes(d, codes + i);
        const auto row = hn::LoadU(du, rows + i);
        const auto goes_left = hn::Or(hn::Lt(code, limit), hn::Or(hn::Eq(code, first), hn::Eq(code, second)));
        // Whole vectors are written. They end before rows + i + lanes, which has been read.
        const auto mask = hn::RebindMask(du, goes_left);
        const std::size_t went_left = StoreLanes(du, row, mask, left + num_left);
        StoreLanes(du, row, hn::Not(mask), right + num_right);
        num_left += went_left;
        num_right += lanes - went_left;
    }
    for (; i < num_rows; ++i) {
        const std::uint32_t code = codes[i];
        const std::uint32_t row = rows[i];
        const bool goes_left = code < route.num_left || code == route.also_left[0] || code == route.also_left[1];
        (goes_left ? left[num_left++] : right[num_right++]) = row;
    }
    return num_left;
}

std::size_t Split8(const std::uint32_t* rows, std::size_t num_rows, const std::uint8_t* codes, const SplitRoute& route,
                   std::uint32_t* left, std::uint32_t* right) {
    return Split(rows, num_rows, codes, route, left, right);
}
std::size_t Split16(const std::uint32_t* rows, std::size_t num_rows, const std::uint16_t* codes,
                    const SplitRoute& route, std::uint32_t* left, std::uint32_t* right) {
    return Split(rows, num_rows, codes, route, left, right);
}
std::size_t Split32(const std::uint32_t* rows, std::size_t num_rows, const std::uint32_t* codes,
                    const SplitRoute& route, std::uint32_t* left, std::uint32_t* right) {
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
std::size_t SplitRows(const std::uint32_t* rows, std::size_t num_rows, const std::uint8_t* codes,
                      const SplitRoute& route, std::uint32_t* left, std::uint32_t* right) {
    return HWY_DYNAMIC_DISPATCH(Split8)(rows, num_rows, codes, route, left, right);
}
template <>
std::size_t SplitRows(const std::uint32_t* rows, std::size_t num_rows, const std::uint16_t* codes,
                      const SplitRoute& route, std::uint32_t* left, std::uint32_t* right) {
    return HWY_DYNAMIC_DISPATCH(Split16)(rows, num_rows, codes, route, left, right);
}
template <>
std::size_t SplitRows(const std::uint32_t* rows, std::size_t num_rows, const std::uint32_t* codes,
                      const SplitRoute& route, std::uint32_t* left, std::uint32_t* right) {
    return HWY_DYNAMIC_DISPATCH(Split32)(rows, num_rows, codes, route, left, right);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
