#include "learn/row_exchange.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "learn/tile_join.h"

namespace espalier::learn {

namespace {

// Trees without a limit are taken to be so deep.
constexpr int kUsualDepth = 6;

// What a rank sends of the rows of its builds: each build's number of pieces; each piece's block, by its first row, and
// its size; the places of all pieces. Places have 16 bits, all else has 32.
template <typename Pair>
std::vector<std::byte> SentRows(std::span<const Build<Pair>> builds) {
    std::vector<std::uint32_t> table;
    std::size_t num_places = 0;
    for (const Build<Pair>& build : builds) table.push_back(static_cast<std::uint32_t>(build.rows.pieces().size()));
    for (const Build<Pair>& build : builds) {
        for (const RowPiece& piece : build.rows.pieces()) table.insert(table.end(), {piece.first_row, piece.size});
        num_places += build.rows.size();
    }
    const std::span<const std::byte> head = std::as_bytes(std::span(table));
    std::vector<std::byte> sent;
    sent.reserve(head.size() + num_places * sizeof(std::uint16_t));
    sent.insert(sent.end(), head.begin(), head.end());
    for (const Build<Pair>& build : builds) {
        for (const RowPiece& piece : build.rows.pieces()) {
            const std::span<const std::byte> places = std::as_bytes(piece.Places());
            sent.insert(sent.end(), places.begin(), places.end());
        }
    }
    return sent;
}

/// Reads SentRows piece by piece. Refers to the bytes.
class SentPieces {
  public:
    SentPieces(std::span<const std::byte> bytes, std::size_t num_builds)
        : counts_(reinterpret_cast<const std::uint32_t*>(bytes.data())), next_(counts_ + num_builds) {
        CHECK(bytes.size() >= num_builds * sizeof(std::uint32_t));
        const std::size_t num_pieces = std::accumulate(counts_, next_, std::size_t{0});
        const std::size_t head_bytes = (num_builds + 2 * num_pieces) * sizeof(std::uint32_t);
        CHECK(bytes.size() >= head_bytes);
        places_ = reinterpret_cast<const std::uint16_t*>(bytes.data() + head_bytes);
        num_rows_ = (bytes.size() - head_bytes) / sizeof(std::uint16_t);
    }

    std::size_t num_rows() const { return num_rows_; }
    std::uint32_t NumPieces(std::size_t build) const { return counts_[build]; }
    RowPiece Next() {
        const RowPiece piece = {.places = places_, .size = next_[1], .first_row = next_[0]};
        next_ += 2;
        places_ += piece.size;
        return piece;
    }

  private:
    const std::uint32_t* counts_;  ///< [builds] of pieces
    const std::uint32_t* next_;    ///< piece
    const std::uint16_t* places_;  ///< of the next piece
    std::size_t num_rows_;
};

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
    const std::uint64_t row_bytes = pair_bytes + levels * sizeof(std::uint16_t) / 2;
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
void RowExchange<Pair>::AddPlaces(std::size_t first_piece, std::size_t first_row, std::span<const std::uint16_t> from) {
    const std::size_t offset = first_row % kNodeBlockRows;
    // A block of a rank lies in two blocks of the joined rows.
    const auto next_block =
        static_cast<std::size_t>(std::lower_bound(from.begin(), from.end(), kNodeBlockRows - offset) - from.begin());
    AddRun(first_piece, first_row - offset, from.first(next_block), offset);
    AddRun(first_piece, first_row - offset + kNodeBlockRows, from.subspan(next_block), offset - kNodeBlockRows);
}

template <typename Pair>
void RowExchange<Pair>::AddRun(std::size_t first_piece, std::size_t block, std::span<const std::uint16_t> from,
                               std::size_t offset) {
    if (from.empty()) return;
    places_.resize(places_.size() + from.size());  // Within what is reserved.
    std::uint16_t* const to = places_.data() + places_.size() - from.size();
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<std::uint16_t>(from[i] + offset);
    if (pieces_.size() == first_piece || pieces_.back().first_row != block) {
        pieces_.push_back({to, 0, static_cast<std::uint32_t>(block)});
    }
    pieces_.back().size += static_cast<std::uint32_t>(from.size());
}

template <typename Pair>
Result<void> RowExchange<Pair>::ShareRows(std::span<Build<Pair>> builds) {
    const auto all = TRY(comm_.AllGatherV(SentRows<Pair>(builds)));
    std::vector<SentPieces> next;
    std::size_t num_rows = 0;
    for (const auto& bytes : all) {
        next.emplace_back(bytes, builds.size());
        num_rows += next.back().num_rows();
    }
    places_.clear();
    places_.reserve(num_rows);
    pieces_.clear();
    std::vector<std::size_t> first_piece;
    for (std::size_t i = 0; i < builds.size(); ++i) {
        first_piece.push_back(pieces_.size());
        for (std::size_t rank = 0; rank < all.size(); ++rank) {
            for (std::uint32_t left = next[rank].NumPieces(i); left > 0; --left) {
                const RowPiece piece = next[rank].Next();
                AddPlaces(first_piece.back(), first_row_[rank] + piece.first_row, piece.Places());
            }
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
