#include "kernels/root_histogram.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/root_histogram.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// The pairs of one row, kept in registers where they fit.
template <std::size_t kWidth>
class RowOfPairs {
  public:
    using Tag = hn::CappedTag<PackedPair, kWidth>;
    explicit RowOfPairs(const PackedPair* pairs) {
        for (std::size_t i = 0; i < kVectors; ++i) values_[i] = hn::LoadU(Tag(), pairs + i * hn::Lanes(Tag()));
    }
    HWY_INLINE void AddTo(PackedPair* sums) const {
        for (std::size_t i = 0; i < kVectors; ++i) {
            PackedPair* const at = sums + i * hn::Lanes(Tag());
            hn::StoreU(hn::Add(hn::LoadU(Tag(), at), values_[i]), Tag(), at);
        }
    }

  private:
    static constexpr std::size_t kVectors = kWidth / hn::MaxLanes(Tag());
    hn::Vec<Tag> values_[kVectors];
};

using Trees = std::span<const PackedPair* const>;

/// body(row, its pairs) for each row.
template <std::size_t kWidth, typename Body>
HWY_INLINE void ForEachRow(Trees trees, std::size_t num_rows, const Body& body) {
    constexpr std::size_t kBlockRows = 64;
    alignas(64) PackedPair lanes[kBlockRows * kWidth] = {};
    for (std::size_t begin = 0; begin < num_rows; begin += kBlockRows) {
        const std::size_t count = std::min(kBlockRows, num_rows - begin);
        for (std::size_t tree = 0; tree < trees.size(); ++tree) {
            for (std::size_t i = 0; i < count; ++i) lanes[i * kWidth + tree] = trees[tree][begin + i];
        }
        for (std::size_t i = 0; i < count; ++i) body(begin + i, RowOfPairs<kWidth>(lanes + i * kWidth));
    }
}

template <std::size_t kWidth, typename Cell>
void AddWidth(Trees trees, std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride,
              const Cell* cells, PackedPair* histogram) {
    ForEachRow<kWidth>(trees, num_rows, [&](std::size_t row, const RowOfPairs<kWidth>& values) {
        const Cell* at = cells + (row_offsets != nullptr ? row_offsets[row] : row * stride);
        const Cell* const end = cells + (row_offsets != nullptr ? row_offsets[row + 1] : (row + 1) * stride);
        for (; at < end; ++at) values.AddTo(histogram + *at * kWidth);
    });
}

template <std::size_t kWidth>
void AddByteWidth(Trees trees, std::size_t num_rows, std::size_t num_features, std::size_t stride,
                  const std::uint8_t* cells, PackedPair* histogram) {
    constexpr std::size_t kByteCells = 256;
    ForEachRow<kWidth>(trees, num_rows, [&](std::size_t row, const RowOfPairs<kWidth>& values) {
        const std::uint8_t* const at = cells + row * stride;
        for (std::size_t k = 0; k < num_features; ++k) values.AddTo(histogram + (k * kByteCells + at[k]) * kWidth);
    });
}

template <typename Cell>
void AddAnyWidth(std::size_t width, Trees trees, std::size_t num_rows, const std::uint32_t* row_offsets,
                 std::size_t stride, const Cell* cells, PackedPair* histogram) {
    if (width == 8) return AddWidth<8>(trees, num_rows, row_offsets, stride, cells, histogram);
    if (width == 4) return AddWidth<4>(trees, num_rows, row_offsets, stride, cells, histogram);
    AddWidth<2>(trees, num_rows, row_offsets, stride, cells, histogram);
}

void AddCells16(std::size_t width, Trees trees, std::size_t num_rows, const std::uint32_t* row_offsets,
                std::size_t stride, const std::uint16_t* cells, PackedPair* histogram) {
    AddAnyWidth(width, trees, num_rows, row_offsets, stride, cells, histogram);
}

void AddCells32(std::size_t width, Trees trees, std::size_t num_rows, const std::uint32_t* row_offsets,
                std::size_t stride, const std::uint32_t* cells, PackedPair* histogram) {
    AddAnyWidth(width, trees, num_rows, row_offsets, stride, cells, histogram);
}

void AddByteCells(std::size_t width, Trees trees, std::size_t num_rows, std::size_t num_features, std::size_t stride,
                  const std::uint8_t* cells, PackedPair* histogram) {
    if (width == 8) return AddByteWidth<8>(trees, num_rows, num_features, stride, cells, histogram);
    if (width == 4) return AddByteWidth<4>(trees, num_rows, num_features, stride, cells, histogram);
    AddByteWidth<2>(trees, num_rows, num_features, stride, cells, histogram);
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(AddCells16);
HWY_EXPORT(AddCells32);
HWY_EXPORT(AddByteCells);

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
void AddRowsOfGroup(std::size_t width, std::span<const PackedPair* const> trees, std::size_t num_rows,
                    const std::uint32_t* row_offsets, std::size_t stride, const std::uint16_t* cells,
                    PackedPair* histogram) {
    HWY_DYNAMIC_DISPATCH(AddCells16)(width, trees, num_rows, row_offsets, stride, cells, histogram);
}

template <>
void AddRowsOfGroup(std::size_t width, std::span<const PackedPair* const> trees, std::size_t num_rows,
                    const std::uint32_t* row_offsets, std::size_t stride, const std::uint32_t* cells,
                    PackedPair* histogram) {
    HWY_DYNAMIC_DISPATCH(AddCells32)(width, trees, num_rows, row_offsets, stride, cells, histogram);
}

void AddByteRowsOfGroup(std::size_t width, std::span<const PackedPair* const> trees, std::size_t num_rows,
                        std::size_t num_features, std::size_t stride, const std::uint8_t* cells,
                        PackedPair* histogram) {
    HWY_DYNAMIC_DISPATCH(AddByteCells)(width, trees, num_rows, num_features, stride, cells, histogram);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
