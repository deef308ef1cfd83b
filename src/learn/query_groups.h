// The queries of ranking data on one rank, and the gains and discounts that ranking losses and metrics share.
//
// A query is a run of rows with one qid; without qids all rows are one query. Rows of a query lie on one rank.
// A query's weight is that of its rows, which must agree (stock takes one weight per query; libsvm text has one per
// row). Source: contracts/xgboost.md 4.8, 4.9; xgboost common/ranking_utils.h. Thread-safe: const.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "collective/comm.h"
#include "kernels/double_math.h"
#include "learn/rows_view.h"

namespace espalier::learn {

/// Gains of ndcg are 2^label - 1 in 32 bits.
inline constexpr float kRelevanceMax = 31;

inline double DcgGain(float label) {
    return static_cast<double>((1U << static_cast<unsigned>(label)) - 1U);
}

/// The discount of the rank-th place, from 0.
inline double DcgDiscount(std::size_t rank) {
    return 1.0 / kernels::Log2(static_cast<double>(rank) + 2.0);
}

inline bool IsRelevance(float label) {
    return label >= 0 && label <= kRelevanceMax && std::floor(label) == label;
}

inline bool IsBinaryRelevance(float label) {
    return label == 0 || label == 1;
}

/// Row numbers of [begin, end) minus begin, by falling value, ties in row order.
std::vector<std::uint32_t> RanksOf(std::span<const float> values);

class QueryGroups {
  public:
    explicit QueryGroups(const RowsView& rows) : rows_(rows) {}

    std::size_t size() const {
        return rows_.query_begins.empty() ? (rows_.num_rows > 0 ? 1 : 0) : rows_.query_begins.size() - 1;
    }
    std::size_t begin(std::size_t query) const { return rows_.query_begins.empty() ? 0 : rows_.query_begins[query]; }
    std::size_t end(std::size_t query) const {
        return rows_.query_begins.empty() ? rows_.num_rows : rows_.query_begins[query + 1];
    }
    std::span<const float> LabelsOf(std::size_t query) const {
        return {rows_.labels + begin(query), end(query) - begin(query)};
    }
    std::span<const float> MarginsOf(std::size_t query) const {
        return {rows_.margins + begin(query), end(query) - begin(query)};
    }
    float WeightOf(std::size_t query) const { return rows_.WeightOf(begin(query)); }

    /// kInvalidArgument on the ranks where rows of one query have different weights, kCancelled on the others, so that
    /// all leave together. Every rank calls it.
    Result<void> CheckWeights(collective::Comm& comm) const;

  private:
    const RowsView& rows_;
};

}  // namespace espalier::learn
