// BinnedMatrix: rows of features as bin numbers, stored twice: row-wise for building histograms, column-wise for
// sending rows left or right.
//
// Nouns: cell (one place of a histogram: a bin of a feature, or the "missing" of a feature), tile (a run of features
// whose cells fit the L2 cache), code (what a column holds: a bin, missing, below or above all cuts).
// Row-wise: each tile lists, row after row, the cells that the row's values fall into. A feature's most frequent bin
// (or "missing", when that is most frequent) is not listed: its sums are the node's total minus the other cells. On
// MNIST, 81 % of the entries are the explicit 0 and disappear. A tile whose features have no such bin is dense: one
// cell per feature and row, no row offsets; in one byte where no feature has more than 256 cells. Where all rows of a
// sparse tile list about as many cells (columns of 0 and 1 beside full ones), lists are padded to the longest with a
// cell of no bin, and there are no offsets either: adding up lists of one length is twice as fast. BinLayout holds what
// all ranks must agree on; it is made from summaries over all ranks. Memory: row-wise 2 bytes per listed cell (4 in a
// tile of more than 65,536 cells, 1 in a dense tile of bytes) + 4 per row and sparse tile; column-wise 1 byte per row
// and feature (2 or 4 when more codes occur), or 5 to 8 bytes per present value where less than one row in eight has
// one. Arrays lie on the heap, in scratch files or in a mapped file (data/stored_array.h). Immutable once built; copies
// share their arrays. Thread-safe to read.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/worker_team.h"
#include "data/array_archive.h"
#include "data/code_array.h"
#include "data/compact_rows.h"
#include "data/cut_points.h"
#include "data/stored_array.h"

namespace espalier::data {

/// How a histogram is laid out. Cells of feature f: [cell_offsets[f], cell_offsets[f + 1]): its bins, then one for
/// missing if has_missing_cell[f], then, in a tile of kind kDense8, unused ones up to kByteCells, and behind the last
/// feature of a tile of kind kSparse16 the padding.
struct BinLayout {
    /// The number is the bits of a listed cell; in kDense8 it is counted from the feature's first cell, in the others
    /// from the tile's.
    enum class TileKind : std::uint8_t { kSparse16, kSparse32, kDense8, kDense16 };
    static constexpr std::uint32_t kByteCells = 256;
    struct Tile {
        std::uint32_t feature_begin = 0;
        std::uint32_t feature_end = 0;
        std::uint32_t cell_begin = 0;
        std::uint32_t cell_end = 0;
        TileKind kind = TileKind::kSparse16;
        int share = 0;  ///< of as many as the layout was made for; rising. Shares are about even work.

        std::uint32_t num_cells() const { return cell_end - cell_begin; }
        std::uint32_t num_features() const { return feature_end - feature_begin; }
        bool is_dense() const { return kind >= TileKind::kDense8; }
        /// kSparse16: the cell that fills up lists, counted from the tile's first. Its sum says nothing.
        std::uint32_t padding() const { return num_cells() - 1; }
    };
    static constexpr std::int32_t kNothingSkipped = -1;

    CutPoints cuts;
    std::vector<std::uint32_t> cell_offsets = {0};  ///< [features + 1]
    std::vector<std::int32_t> skipped_bin;          ///< [features] bin whose entries are not listed, or kNothingSkipped
    std::vector<std::uint8_t> has_missing_cell;     ///< [features]
    std::vector<std::uint8_t> has_missing;          ///< [features] a row of some rank lacks the feature
    std::vector<Tile> tiles;

    std::size_t num_features() const { return skipped_bin.size(); }
    std::uint32_t num_cells() const { return cell_offsets.back(); }

    /// What decides where one feature's bins lie.
    struct Shape {
        std::int32_t most_frequent_bin = kNothingSkipped;  ///< kNothingSkipped: missing is most frequent
        bool has_missing = false;
        double listed_share = 0;  ///< of the rows, when the most frequent is skipped
    };
    /// cuts: the feature's; the summary and num_rows over all ranks.
    static Shape ShapeOf(const ValueSummary& summary, std::span<const float> cuts, std::uint64_t num_rows);
    /// shapes: [features]; num_rows: of which the shapes are.
    static BinLayout Create(std::span<const Shape> shapes, CutPoints cuts, std::uint64_t num_rows, int num_shares = 1);
    /// summaries: over all ranks, one per feature; num_rows over all ranks.
    static BinLayout Create(std::span<const ValueSummary> summaries, CutPoints cuts, std::uint64_t num_rows,
                            WorkerTeam& team, int num_shares = 1);
};

/// The codes of one feature. Bins are 0 … num_bins-1.
struct BinnedColumn {
    std::uint32_t num_bins = 0;
    bool sparse = false;
    CodeArray codes;                  ///< [rows of the matrix]; sparse: [rows]
    StoredArray<std::uint32_t> rows;  ///< sparse: rising; a row that is not listed is missing

    std::uint32_t missing_code() const { return num_bins; }
    std::uint32_t below_code() const { return num_bins + 1; }  ///< smaller than the feature's min_value
    std::uint32_t above_code() const { return num_bins + 2; }  ///< at or above the last cut
    std::uint32_t num_codes() const { return num_bins + 3; }
};

/// The listed cells of one tile; which array holds them follows from the tile's kind.
struct BinnedTile {
    StoredArray<std::uint32_t> row_offsets;  ///< [rows + 1] into cells; empty when there is a stride
    StoredArray<std::uint8_t> cells8;
    StoredArray<std::uint16_t> cells16;
    StoredArray<std::uint32_t> cells32;
    /// Dense and padded: from one row's first cell to the next's; dense: at least the tile's features. Else 0.
    std::uint32_t stride = 0;
};

class BinnedMatrix {
  public:
    enum class Use { kTraining, kEvaluation };  ///< kEvaluation builds columns only

    /// `rows` may have fewer features than the layout (the rest is missing), not more. Fewer than 2^32 rows. `store`
    /// says where the arrays lie; ask its status afterwards.
    static BinnedMatrix Create(const CompactRows& rows, const BinLayout& layout, Use use, WorkerTeam& team,
                               ArrayStore& store);
    /// The same; the rows' blocks are dropped once they are binned.
    static BinnedMatrix Create(CompactRows&& rows, const BinLayout& layout, Use use, WorkerTeam& team,
                               ArrayStore& store);
    static BinnedMatrix Create(const CompactRows& rows, const BinLayout& layout, Use use, WorkerTeam& team) {
        ArrayStore heap;
        return Create(rows, layout, use, team, heap);
    }

    /// Without columns, for histograms only; tiles: [tiles of the layout], of as many rows or empty.
    static BinnedMatrix OfTiles(std::size_t num_rows, std::vector<BinnedTile> tiles) {
        BinnedMatrix matrix;
        matrix.num_rows_ = num_rows;
        matrix.tiles_ = std::move(tiles);
        return matrix;
    }

    std::size_t num_rows() const { return num_rows_; }
    const BinnedColumn& column(std::size_t feature) const { return columns_[feature]; }
    const BinnedTile& tile(std::size_t tile) const { return tiles_[tile]; }
    std::size_t memory_bytes() const;

    /// Names the fields for data/array_archive.h.
    template <typename Archive>
    void Exchange(Archive& archive) {
        archive(num_rows_);
        ExchangeEach(archive, columns_, [&](BinnedColumn& column) {
            archive(column.num_bins);
            archive(column.sparse);
            column.codes.Exchange(archive);
            archive(column.rows);
        });
        ExchangeEach(archive, tiles_, [&](BinnedTile& tile) {
            archive(tile.row_offsets);
            archive(tile.cells8);
            archive(tile.cells16);
            archive(tile.cells32);
            archive(tile.stride);
        });
    }

  private:
    static BinnedMatrix Build(const CompactRows& rows, CompactRows* spent, const BinLayout& layout, Use use,
                              WorkerTeam& team, ArrayStore& store);

    std::size_t num_rows_ = 0;
    std::vector<BinnedColumn> columns_;
    std::vector<BinnedTile> tiles_;
};

}  // namespace espalier::data
