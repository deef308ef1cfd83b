#include "learn/tile_rows.h"

#include <gtest/gtest.h>

#include <vector>

namespace espalier::learn {
namespace {

TEST(TileRows, CellsBeyondFourGigabytesAreFound) {
    // Rows so far apart that those of the second block begin there; only their pages are touched.
    constexpr std::uint32_t kStride = 65'600;
    constexpr std::size_t kRow = kNodeBlockRows + 1;
    data::BinLayout::Tile layout;
    layout.kind = data::BinLayout::TileKind::kDense8;
    layout.feature_end = 1;
    data::BinnedTile tile;
    tile.stride = kStride;
    tile.cells8 = data::ArrayStore().Make<std::uint8_t>((kRow + 1) * kStride);
    tile.cells8[kRow * kStride] = 7;
    std::vector<kernels::PackedPair> pairs(kRow + 1, 0);
    pairs[kRow] = 5;
    std::vector<kernels::PackedPair> sums(256, 0);
    const std::uint16_t place = 1;
    AddTileRows(layout, tile, {&place, 1, kNodeBlockRows}, pairs.data(), sums.data());
    EXPECT_EQ(sums[7], 5);
}

}  // namespace
}  // namespace espalier::learn
