#include "kernels/root_histogram.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/root_histogram.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <std::size_t kWidth, typename Cell>
void AddWidth(std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride, const Cell* cells,
              const PackedPair* pairs, PackedPair* histogram) {
    const hn::CappedTag<PackedPair, kWidth> d;
    const std::size_t lanes = hn::Lanes(d);
    for (std::size_t row = 0; row < num_rows; ++row) {
        const Cell* at = cells + (row_offsets != nullptr ? row_offsets[row] : row * stride);
        const Cell* const end = cells + (row_offsets != nullptr ? row_offsets[row + 1] : (row + 1) * stride);
        const PackedPair* const pair = pairs + row * kWidth;
        if (lanes == kWidth) {
            const auto values = hn::LoadU(d, pair);
            for (; at < end; ++at) {
                PackedPair* const sums = histogram + *at * kWidth;
                hn::StoreU(hn::Add(hn::LoadU(d, sums), values), d, sums);
            }
            continue;
        }
        for (; at < end; ++at) {
            PackedPair* const sums = histogram + *at * kWidth;
            for (std::size_t lane = 0; lane < kWidth; lane += lanes) {
                hn::StoreU(hn::Add(hn::LoadU(d, sums + lane), hn::LoadU(d, pair + lane)), d, sums + lane);
            }
        }
    }
}

template <typename Cell>
void AddAnyWidth(std::size_t width, std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride,
                 const Cell* cells, const PackedPair* pairs, PackedPair* histogram) {
    if (width == 8) return AddWidth<8>(num_rows, row_offsets, stride, cells, pairs, histogram);
    if (width == 4) return AddWidth<4>(num_rows, row_offsets, stride, cells, pairs, histogram);
    AddWidth<2>(num_rows, row_offsets, stride, cells, pairs, histogram);
}

void AddCells16(std::size_t width, std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride,
                const std::uint16_t* cells, const PackedPair* pairs, PackedPair* histogram) {
    AddAnyWidth(width, num_rows, row_offsets, stride, cells, pairs, histogram);
}

void AddCells32(std::size_t width, std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride,
                const std::uint32_t* cells, const PackedPair* pairs, PackedPair* histogram) {
    AddAnyWidth(width, num_rows, row_offsets, stride, cells, pairs, histogram);
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(AddCells16);
HWY_EXPORT(AddCells32);

std::vector<std::size_t> TreeGroupWidths(std::size_t num_trees) {
    std::vector<std::size_t> widths;
    for (std::size_t rest = num_trees; rest > 0;) {
        const std::size_t width = rest > 4 ? 8 : rest > 2 ? 4 : 2;
        widths.push_back(width);
        rest -= rest < width ? rest : width;
    }
    return widths;
}

template <>
void AddRowsOfGroup(std::size_t width, std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride,
                    const std::uint16_t* cells, const PackedPair* pairs, PackedPair* histogram) {
    HWY_DYNAMIC_DISPATCH(AddCells16)(width, num_rows, row_offsets, stride, cells, pairs, histogram);
}

template <>
void AddRowsOfGroup(std::size_t width, std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride,
                    const std::uint32_t* cells, const PackedPair* pairs, PackedPair* histogram) {
    HWY_DYNAMIC_DISPATCH(AddCells32)(width, num_rows, row_offsets, stride, cells, pairs, histogram);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
