// Histogram kernels: sums of gradient pairs per cell.
//
// All are exact (integer sums), so any order and any split of the rows gives the same histogram.
// Rows are 16-bit places within a block of rows, whose offsets, cells and pairs begin at the block's first row.
// No alignment or padding is asked for; arrays do not overlap. Oracle: histogram_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/gradient_pair.h"

namespace espalier::kernels {

/// For each row r of `rows`: histogram[cells[e]] += pairs[r] for e in [row_offsets[r], row_offsets[r + 1]).
/// Pair: PackedPair or WidePair; Cell: uint16 or uint32.
template <typename Pair, typename Cell>
void AddRows(std::span<const std::uint16_t> rows, const std::uint32_t* row_offsets, const Cell* cells,
             const Pair* pairs, Pair* histogram);

/// The same where every row lists exactly `stride` cells: those of row r begin at cells[r * stride].
template <typename Pair>
void AddDenseRows(std::span<const std::uint16_t> rows, std::size_t stride, const std::uint16_t* cells,
                  const Pair* pairs, Pair* histogram);

/// The same where feature k of `num_features` has the cells from 256 k on and row r falls into the
/// cells[r * stride + k]-th of them.
template <typename Pair>
void AddByteRows(std::span<const std::uint16_t> rows, std::size_t num_features, std::size_t stride,
                 const std::uint8_t* cells, const Pair* pairs, Pair* histogram);

}  // namespace espalier::kernels
