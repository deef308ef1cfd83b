// The rows of a node, or of a whole data set: rising, block by block.
//
// Nouns: block (kNodeBlockRows rows that follow each other; the last one may be shorter), piece (a node's rows in one
// block, as 16-bit places counted from the block's first row; never empty). Lists of rows are what growing trees moves
// most, so they take two bytes a row; and work that reads arrays over rows goes block by block, for a node's rows lie
// apart, and what is read around them serves the other nodes while it is in the cache. Views own nothing.
// Thread-compatible.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace espalier::learn {

constexpr std::size_t kNodeBlockRows = 65'536;
constexpr std::size_t NumNodeBlocks(std::size_t num_rows) {
    return (num_rows + kNodeBlockRows - 1) / kNodeBlockRows;
}

struct RowPiece {
    const std::uint16_t* places = nullptr;  ///< rising, below kNodeBlockRows
    std::uint32_t size = 0;
    std::uint32_t first_row = 0;  ///< of the block

    std::span<const std::uint16_t> Places() const { return {places, size}; }
};

class NodeRows {
  public:
    NodeRows() = default;
    /// `pieces` rise by block; size: of their rows.
    NodeRows(std::span<const RowPiece> pieces, std::size_t size) : pieces_(pieces), size_(size) {}

    std::size_t size() const { return size_; }
    std::span<const RowPiece> pieces() const { return pieces_; }

    /// The piece in the block that begins with `first_row`; of size 0 if there is none.
    RowPiece PieceAt(std::size_t first_row) const {
        const auto at = std::lower_bound(pieces_.begin(), pieces_.end(), first_row,
                                         [](const RowPiece& piece, std::size_t row) { return piece.first_row < row; });
        return at != pieces_.end() && at->first_row == first_row ? *at : RowPiece{};
    }

    /// Calls visit(piece) for what holds the begin-th to the (end-1)-th row.
    template <typename Visit>
    void ForEachPiece(std::size_t begin, std::size_t end, const Visit& visit) const {
        std::size_t before = 0;
        for (const RowPiece& piece : pieces_) {
            const std::size_t from = std::clamp(begin, before, before + piece.size) - before;
            const std::size_t to = std::clamp(end, before, before + piece.size) - before;
            if (from < to) visit(RowPiece{piece.places + from, static_cast<std::uint32_t>(to - from), piece.first_row});
            before += piece.size;
        }
    }

    /// Calls visit(row) for each row.
    template <typename Visit>
    void ForEachRow(const Visit& visit) const {
        for (const RowPiece& piece : pieces_) {
            for (const std::uint16_t place : piece.Places()) visit(piece.first_row + place);
        }
    }

  private:
    std::span<const RowPiece> pieces_;
    std::size_t size_ = 0;
};

/// All rows of a data set.
class AllRows {
  public:
    AllRows(AllRows&&) = default;
    explicit AllRows(std::size_t num_rows) : num_rows_(num_rows), places_(std::min(num_rows, kNodeBlockRows)) {
        for (std::size_t place = 0; place < places_.size(); ++place) places_[place] = static_cast<std::uint16_t>(place);
        for (std::size_t first = 0; first < num_rows; first += kNodeBlockRows) {
            const auto size = static_cast<std::uint32_t>(std::min(num_rows - first, kNodeBlockRows));
            pieces_.push_back({places_.data(), size, static_cast<std::uint32_t>(first)});
        }
    }
    NodeRows rows() const { return {pieces_, num_rows_}; }
    std::size_t size() const { return num_rows_; }

  private:
    std::size_t num_rows_;
    std::vector<std::uint16_t> places_;  ///< 0, 1, 2 … of a block
    std::vector<RowPiece> pieces_;
};

}  // namespace espalier::learn
