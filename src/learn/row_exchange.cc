#include "learn/row_exchange.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "learn/tile_join.h"

namespace espalier::learn {

namespace {

// Trees without a limit are taken to be so deep.
constexpr int kUsualDepth = 6;

}  // namespace

bool RowsTravel(const TrainParams& params, const data::BinLayout& layout, std::uint64_t total_rows,
                std::size_t pair_bytes, int num_ranks) {
    if (num_ranks == 1 || params.rank_traffic == RankTraffic::kSums) return false;
    if (total_rows >= std::numeric_limits<std::uint32_t>::max()) return false;
    for (const auto& tile : layout.tiles) {
        // Offsets into the cells of a tile have 32 bits.
        const std::uint64_t listed_max = total_rows * tile.num_features();
        if (!tile.is_dense() && listed_max > std::numeric_limits<std::uint32_t>::max()) return false;
    }
    if (params.rank_traffic == RankTraffic::kRows) return true;
    if (layout.tiles.size() < static_cast<std::size_t>(num_ranks)) return false;  // Some would have nothing to do.
    // Bytes per tree, up to the same factor. Of a level at least one node is added up, and at most half of the rows.
    const auto levels = static_cast<std::uint64_t>(params.max_depth > 0 ? params.max_depth : kUsualDepth);
    const std::uint64_t row_bytes = pair_bytes + levels * sizeof(std::uint32_t) / 2;
    return total_rows * row_bytes < layout.num_cells() * pair_bytes * levels;
}

template <typename Pair>
RowExchange<Pair>::RowExchange(const data::BinLayout& layout, const data::BinnedMatrix& matrix,
                               std::uint64_t total_rows, std::size_t num_trees, collective::Comm& comm)
    : layout_(layout),
      own_(matrix),
      num_trees_(num_trees),
      comm_(comm),
      all_rows_(total_rows),
      pairs_(num_trees * total_rows) {}

template <typename Pair>
Result<void> RowExchange<Pair>::Join() {
    if (is_joined_) return {};
    std::vector<std::int64_t> counts(static_cast<std::size_t>(comm_.size()), 0);
    counts[static_cast<std::size_t>(comm_.rank())] = static_cast<std::int64_t>(own_.num_rows());
    TRY(comm_.AllReduceSum(counts));
    const std::vector<std::size_t> num_rows(counts.begin(), counts.end());
    first_row_ = {0};
    for (const std::size_t rows : num_rows) first_row_.push_back(first_row_.back() + rows);
    CHECK(first_row_.back() == all_rows_.size(), "{} rows, {} were told", first_row_.back(), all_rows_.size());
    matrix_ = data::BinnedMatrix::OfTiles(all_rows_.size(), TRY(JoinTiles(layout_, own_, num_rows, comm_)));
    is_joined_ = true;
    return {};
}

template <typename Pair>
Result<void> RowExchange<Pair>::SharePairs(const Pair* pairs) {
    const auto all = TRY(comm_.AllGatherV(std::as_bytes(std::span(pairs, num_trees_ * own_.num_rows()))));
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        const std::size_t row_bytes = (first_row_[rank + 1] - first_row_[rank]) * sizeof(Pair);
        CHECK(all[rank].size() == num_trees_ * row_bytes);
        for (std::size_t tree = 0; tree < num_trees_ && row_bytes > 0; ++tree) {
            std::memcpy(static_cast<void*>(&pairs_[tree * all_rows_.size() + first_row_[rank]]),
                        all[rank].data() + tree * row_bytes, row_bytes);
        }
    }
    return {};
}

template <typename Pair>
void RowExchange<Pair>::AddRow(std::size_t first_piece, std::size_t row) {
    const std::size_t first_row = row - row % kNodeBlockRows;
    if (pieces_.size() == first_piece || pieces_.back().first_row != first_row) {
        pieces_.push_back({places_.data() + places_.size(), 0, static_cast<std::uint32_t>(first_row)});
    }
    places_.push_back(static_cast<std::uint16_t>(row - first_row));
    ++pieces_.back().size;
}

template <typename Pair>
Result<void> RowExchange<Pair>::ShareRows(std::span<Build<Pair>> builds) {
    std::vector<std::uint32_t> mine;  // The number of rows of each build, then the rows.
    for (const Build<Pair>& build : builds) mine.push_back(static_cast<std::uint32_t>(build.rows.size()));
    for (const Build<Pair>& build : builds) {
        build.rows.ForEachRow([&](std::uint32_t row) { mine.push_back(row); });
    }
    const auto all = TRY(comm_.AllGatherV(std::as_bytes(std::span(mine))));
    std::vector<const std::uint32_t*> counts;
    std::vector<const std::uint32_t*> next;
    std::size_t num_rows = 0;
    for (const auto& bytes : all) {
        counts.push_back(reinterpret_cast<const std::uint32_t*>(bytes.data()));
        next.push_back(counts.back() + builds.size());
        CHECK(bytes.size() >= builds.size() * sizeof(std::uint32_t));
        num_rows += bytes.size() / sizeof(std::uint32_t) - builds.size();
    }
    places_.clear();
    places_.reserve(num_rows);
    pieces_.clear();
    std::vector<std::size_t> first_piece;
    for (std::size_t i = 0; i < builds.size(); ++i) {
        first_piece.push_back(pieces_.size());
        for (std::size_t rank = 0; rank < all.size(); ++rank) {
            for (std::uint32_t nth = 0; nth < counts[rank][i]; ++nth)
                AddRow(first_piece.back(), first_row_[rank] + next[rank][nth]);
            next[rank] += counts[rank][i];
        }
    }
    first_piece.push_back(pieces_.size());
    for (std::size_t i = 0; i < builds.size(); ++i) {
        const auto pieces = std::span(pieces_).subspan(first_piece[i], first_piece[i + 1] - first_piece[i]);
        std::size_t size = 0;
        for (const RowPiece& piece : pieces) size += piece.size;
        builds[i].rows = {pieces, size};
    }
    return {};
}

template class RowExchange<kernels::PackedPair>;
template class RowExchange<kernels::WidePair>;

}  // namespace espalier::learn
