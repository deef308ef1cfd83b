// RowExchange: between ranks rows travel instead of sums: each rank adds up the rows of all ranks, in the tiles whose
// splits it finds.
//
// The other way is HistogramStep's: each rank adds up its own rows in all tiles and sends the sums. What that sends and
// clears, writes and reads grows with cells and nodes; what is sent here grows with rows only, and ranks whose shares
// of the rows differ still do the same work. RowsTravel tells which is less.
// Nouns: joined (of the rows of all ranks, in rank order: a row's number is that of its rank's first row and its own).
// Steps: the cells that a tile lists go to its owner, once; the pairs of all rows to everybody, each round; the rows of
// the nodes that are built to everybody, each step. Nodes are still split by each rank for its own rows.
// Memory: the cells of the own tiles, of all rows; 8 bytes per row of all ranks and tree (16 wide); the rows of a step.
// Confined to the trainer's thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "collective/comm.h"
#include "data/binned_matrix.h"
#include "data/feature_rows.h"
#include "learn/histogram_step.h"

namespace espalier::learn {

/// Whether rows travel, which all ranks answer alike. total_rows: of all ranks.
bool RowsTravel(const TrainParams& params, const data::BinLayout& layout, std::uint64_t total_rows,
                std::size_t pair_bytes, int num_ranks);

template <typename Pair>
class RowExchange {
  public:
    /// `matrix` has the own rows. What it refers to must outlive the object.
    RowExchange(const data::BinLayout& layout, const data::BinnedMatrix& matrix, std::uint64_t total_rows,
                std::size_t num_trees, collective::Comm& comm);

    /// Joins the tiles; the first call does it, later ones nothing.
    Result<void> Join();
    /// Takes the pairs of a round, of own rows [trees x rows].
    Result<void> SharePairs(const Pair* pairs);
    /// The rows of each build, which are own rows, become the joined ones; valid until the next call.
    Result<void> ShareRows(std::span<Build<Pair>> builds);

    /// The joined rows: tiles that another rank owns are empty, and there are no columns.
    const data::BinnedMatrix& matrix() const { return matrix_; }
    /// Of the joined rows; all of them are in the root.
    NodeRows all_rows() const { return all_rows_.rows(); }
    const Pair* PairsOf(std::size_t tree) const { return pairs_.data() + tree * all_rows_.size(); }

  private:
    /// Adds the joined rows first_row + from[i] to the build whose pieces begin at `first_piece`.
    void AddPlaces(std::size_t first_piece, std::size_t first_row, std::span<const std::uint16_t> from);
    /// Those of one block of the joined rows, whose places there are from[i] + offset.
    void AddRun(std::size_t first_piece, std::size_t block, std::span<const std::uint16_t> from, std::size_t offset);

    const data::BinLayout& layout_;
    const data::BinnedMatrix& own_;
    const std::size_t num_trees_;
    collective::Comm& comm_;
    bool is_joined_ = false;
    data::BinnedMatrix matrix_;
    std::vector<std::size_t> first_row_;  ///< [ranks + 1] among the joined rows
    AllRows all_rows_;
    std::vector<Pair> pairs_;                  ///< [trees x joined rows]
    data::EntryVector<std::uint16_t> places_;  ///< of the builds of a step
    std::vector<RowPiece> pieces_;
};

}  // namespace espalier::learn
