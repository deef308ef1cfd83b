// Rows of one data set as objectives and metrics see them: views, whose owner outlives the call.
//
// Layout: arrays over rows and groups are group-major, [groups x rows]: value of row r in group k at k * rows + r.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "learn/row_segment.h"

namespace espalier::learn {

struct RowsView {
    std::size_t num_rows = 0;
    const float* margins = nullptr;  ///< [groups x rows]
    const float* labels = nullptr;   ///< [rows]
    const float* weights = nullptr;  ///< [rows], or null: all 1
    /// First row of each query, and num_rows at the end; empty when the data name no queries.
    std::span<const std::uint32_t> query_begins = {};
    std::span<const RowSegment> segments = {};  ///< rising; empty: one rank, rows in their order
    std::uint64_t total_rows = 0;               ///< of all ranks
    const float* upper_bounds = nullptr;        ///< [rows] of survival:aft, labels are lower ones then; null: none

    float WeightOf(std::size_t row) const { return weights != nullptr ? weights[row] : 1.0F; }

    /// The row's place among those of all ranks.
    std::uint64_t IdentityOf(std::size_t row) const {
        std::size_t segment = segments.size();
        while (segment > 0 && segments[segment - 1].local_begin > row) --segment;
        return segment == 0 ? row : segments[segment - 1].global_begin + (row - segments[segment - 1].local_begin);
    }
};

}  // namespace espalier::learn
