// Sending the rows of a node to its two children. Rows are 16-bit places within a block of rows.
//
// `codes` lie beside the rows: codes[i] is what the split's feature says of rows[i] (data/binned_matrix.h: bins, then
// missing and what lies beyond the cuts). The order within a child is that of the rows. No alignment or padding is
// asked for. Oracle: row_split_test.cc. Thread-safe: a pure function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace espalier::kernels {

/// A code below num_left goes left, and so do the two others.
struct SplitRoute {
    std::uint32_t num_left = 0;
    std::uint32_t also_left[2] = {};
};

/// Writes the rows that go left to `left` and the others to `right`, each with room for num_rows, and returns how many
/// went left. What lies behind them there is lost. `left` may be `rows`; `right` overlaps nothing. Codes are below
/// 2^31. Code: uint8, uint16 or uint32.
template <typename Code>
std::size_t SplitRows(const std::uint16_t* rows, std::size_t num_rows, const Code* codes, const SplitRoute& route,
                      std::uint16_t* left, std::uint16_t* right);

}  // namespace espalier::kernels
