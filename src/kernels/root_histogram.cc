#include "kernels/root_histogram.h"

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

template <std::size_t kWidth, typename Cell>
void AddWidth(std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride, const Cell* cells,
              const PackedPair* pairs, PackedPair* histogram) {
    for (std::size_t row = 0; row < num_rows; ++row) {
        const Cell* at = cells + (row_offsets != nullptr ? row_offsets[row] : row * stride);
        const Cell* const end = cells + (row_offsets != nullptr ? row_offsets[row + 1] : (row + 1) * stride);
        const RowOfPairs<kWidth> values(pairs + row * kWidth);
        for (; at < end; ++at) values.AddTo(histogram + *at * kWidth);
    }
}

template <std::size_t kWidth>
void AddByteWidth(std::size_t num_rows, std::size_t num_features, std::size_t stride, const std::uint8_t* cells,
                  const PackedPair* pairs, PackedPair* histogram) {
    constexpr std::size_t kByteCells = 256;
    for (std::size_t row = 0; row < num_rows; ++row) {
        const std::uint8_t* const at = cells + row * stride;
        const RowOfPairs<kWidth> values(pairs + row * kWidth);
        for (std::size_t k = 0; k < num_features; ++k) values.AddTo(histogram + (k * kByteCells + at[k]) * kWidth);
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

void AddByteCells(std::size_t width, std::size_t num_rows, std::size_t num_features, std::size_t stride,
                  const std::uint8_t* cells, const PackedPair* pairs, PackedPair* histogram) {
    if (width == 8) return AddByteWidth<8>(num_rows, num_features, stride, cells, pairs, histogram);
    if (width == 4) return AddByteWidth<4>(num_rows, num_features, stride, cells, pairs, histogram);
    AddByteWidth<2>(num_rows, num_features, stride, cells, pairs, histogram);
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
void AddRowsOfGroup(std::size_t width, std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride,
                    const std::uint16_t* cells, const PackedPair* pairs, PackedPair* histogram) {
    HWY_DYNAMIC_DISPATCH(AddCells16)(width, num_rows, row_offsets, stride, cells, pairs, histogram);
}

template <>
void AddRowsOfGroup(std::size_t width, std::size_t num_rows, const std::uint32_t* row_offsets, std::size_t stride,
                    const std::uint32_t* cells, const PackedPair* pairs, PackedPair* histogram) {
    HWY_DYNAMIC_DISPATCH(AddCells32)(width, num_rows, row_offsets, stride, cells, pairs, histogram);
}

void AddByteRowsOfGroup(std::size_t width, std::size_t num_rows, std::size_t num_features, std::size_t stride,
                        const std::uint8_t* cells, const PackedPair* pairs, PackedPair* histogram) {
    HWY_DYNAMIC_DISPATCH(AddByteCells)(width, num_rows, num_features, stride, cells, pairs, histogram);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
