// Where a data set's rows are numbered: row identity = place in the job's files in order, over all ranks. What is drawn
// for a row is drawn for its identity, so it does not depend on how rows are spread. Pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace espalier::learn {

struct RowSegment {
    std::uint64_t local_begin = 0;
    std::uint64_t global_begin = 0;
};

/// Calls visit(row, identity) for the rows [begin, end). segments: rising, the first begins at row 0.
template <typename Visit>
void ForEachIdentity(std::span<const RowSegment> segments, std::size_t begin, std::size_t end, const Visit& visit) {
    auto segment = std::upper_bound(segments.begin(), segments.end(), begin,
                                    [](std::size_t row, const RowSegment& s) { return row < s.local_begin; });
    for (std::size_t row = begin; row < end; ++row) {
        while (segment != segments.end() && segment->local_begin <= row) ++segment;
        const RowSegment& mine = *(segment - 1);
        visit(row, mine.global_begin + (row - mine.local_begin));
    }
}

}  // namespace espalier::learn
