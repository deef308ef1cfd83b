// Histograms of many trees over the same rows in one sweep: the roots of all class trees of a round.
//
// The row's listed cells are the same for every tree, so they are read once and each adds a vector of packed pairs, one
// lane per tree: [cell][tree] instead of [tree][cell]. Trees come in groups of 8, 4 or 2 (TreeGroupWidths); lanes
// without a tree hold 0. Exact integers, so the sums are those of kernels/histogram.h. The pairs of some rows at a time
// are put side by side where they stay in the first cache: an array of all rows that way, 64 bytes a row, was a seventh
// of what a round of class trees moves through memory. No alignment is asked for. Oracle: AddRows per tree, in
// root_histogram_test. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/gradient_pair.h"

namespace espalier::kernels {

/// Widths of the groups that hold num_trees trees, widest first: 10 trees are 8 + 2.
std::vector<std::size_t> TreeGroupWidths(std::size_t num_trees);

/// For each row r in [0, num_rows), cell c of its list and tree t: histogram[c * width + t] += trees[t][r]. width: 8, 4
/// or 2, and no less than the number of trees. The list of row r is cells[row_offsets[r] … row_offsets[r + 1]), or,
/// when row_offsets is null, cells[r * stride … (r + 1) * stride). Cell: uint16 or uint32.
template <typename Cell>
void AddRowsOfGroup(std::size_t width, std::span<const PackedPair* const> trees, std::size_t num_rows,
                    const std::uint32_t* row_offsets, std::size_t stride, const Cell* cells, PackedPair* histogram);

/// The same where feature k of `num_features` has the cells from 256 k on and row r falls into the
/// cells[r * stride + k]-th of them.
void AddByteRowsOfGroup(std::size_t width, std::span<const PackedPair* const> trees, std::size_t num_rows,
                        std::size_t num_features, std::size_t stride, const std::uint8_t* cells, PackedPair* histogram);

}  // namespace espalier::kernels
