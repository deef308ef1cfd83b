// Adding rows up into the cells of one tile, whatever its layout. Pure function.
#pragma once

#include <cstdint>
#include <span>

#include "data/binned_matrix.h"
#include "kernels/histogram.h"
#include "learn/node_rows.h"

namespace espalier::learn {

/// Adds the pairs [rows of the matrix] of the rows of `piece` to target [cells of the tile].
template <typename Pair>
void AddTileRows(const data::BinLayout::Tile& layout, const data::BinnedTile& tile, const RowPiece& piece,
                 const Pair* pairs, Pair* target) {
    const auto rows = piece.Places();
    const std::size_t first_cell = std::size_t{piece.first_row} * tile.stride;
    pairs += piece.first_row;
    switch (layout.kind) {
        case data::BinLayout::TileKind::kDense8:
            kernels::AddByteRows(rows, layout.num_features(), tile.stride, tile.cells8.data() + first_cell, pairs,
                                 target);
            break;
        case data::BinLayout::TileKind::kDense16:
            kernels::AddDenseRows(rows, tile.stride, tile.cells16.data() + first_cell, pairs, target);
            break;
        case data::BinLayout::TileKind::kSparse16:
            if (tile.stride > 0) {
                kernels::AddDenseRows(rows, tile.stride, tile.cells16.data() + first_cell, pairs, target);
                target[layout.padding()] = Pair{};
                break;
            }
            kernels::AddRows(rows, tile.row_offsets.data() + piece.first_row, tile.cells16.data(), pairs, target);
            break;
        case data::BinLayout::TileKind::kSparse32:
            kernels::AddRows(rows, tile.row_offsets.data() + piece.first_row, tile.cells32.data(), pairs, target);
            break;
    }
}

}  // namespace espalier::learn
