#include "learn/query_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace espalier::learn {

std::vector<std::uint32_t> RanksOf(std::span<const float> values) {
    std::vector<std::uint32_t> order(values.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return values[a] > values[b]; });
    return order;
}

Result<void> QueryGroups::CheckWeights(collective::Comm& comm) const {
    std::size_t odd_row = rows_.num_rows;
    const bool weighted = rows_.weights != nullptr && !rows_.query_begins.empty();
    std::size_t query = 0;
    for (std::size_t row = 0; weighted && row < rows_.num_rows && odd_row == rows_.num_rows; ++row) {
        while (row >= end(query)) ++query;
        if (rows_.weights[row] != WeightOf(query)) odd_row = row;
    }
    std::vector<std::int64_t> any_odd = {odd_row < rows_.num_rows ? 1 : 0};
    TRY(comm.AllReduceMax(std::span<std::int64_t>(any_odd)));
    if (any_odd[0] == 0) return {};
    if (odd_row == rows_.num_rows)
        return Error(ErrorCode::kCancelled, "another instance has a query of uneven weights");
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("row {} has weight {}, but the query it belongs to begins with weight {}. When ranking, a "
                             "weight counts for a whole query: give all rows of a qid the same one.",
                             odd_row + 1, rows_.weights[odd_row], WeightOf(query)));
}

}  // namespace espalier::learn
