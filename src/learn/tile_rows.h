// Adding rows up into the cells of one tile, whatever its layout. Pure function.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "data/binned_matrix.h"
#include "kernels/histogram.h"

namespace espalier::learn {

/// target [cells of the tile]: the sums of `rows` in each, from pairs [rows of the matrix]; what it held is lost.
template <typename Pair>
void AddTileRows(const data::BinLayout::Tile& layout, const data::BinnedTile& tile, std::span<const std::uint32_t> rows,
                 const Pair* pairs, Pair* target) {
    std::memset(static_cast<void*>(target), 0, layout.num_cells() * sizeof(Pair));
    switch (layout.kind) {
        case data::BinLayout::TileKind::kDense8:
            kernels::AddByteRows(rows, layout.num_features(), tile.stride, tile.cells8.data(), pairs, target);
            break;
        case data::BinLayout::TileKind::kDense16:
            kernels::AddDenseRows(rows, tile.stride, tile.cells16.data(), pairs, target);
            break;
        case data::BinLayout::TileKind::kSparse16:
            kernels::AddRows(rows, tile.row_offsets.data(), tile.cells16.data(), pairs, target);
            break;
        case data::BinLayout::TileKind::kSparse32:
            kernels::AddRows(rows, tile.row_offsets.data(), tile.cells32.data(), pairs, target);
            break;
    }
}

}  // namespace espalier::learn
