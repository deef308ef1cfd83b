// Fills a BinnedMatrix from compact rows; the way from values to bins.
//
// Steps: a pass over the blocks counts each feature's values and their range -> columns get their width and are filled
// with whichever of "missing" and 0 is more frequent -> a pass counts the listed cells of each row and sparse tile ->
// a pass writes codes and cells to their places. A value is looked up by its one-byte code where rows have codes. Where
// neither such a table nor the finders of all features fit the cache, codes are found beforehand, some features at a
// time. Blocks that stand column by column are binned that way where all that is filled is dense. What equals the fill
// and is not listed is stepped over, so a run of zeros costs nothing. Rows that nobody needs afterwards are dropped
// block by block, for memory that is touched for the first time may cost more than binning: their pages become those of
// bins. Confined to one call.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/worker_team.h"
#include "data/bin_finder.h"
#include "data/bin_grid.h"
#include "data/binned_matrix.h"
#include "data/compact_rows.h"
#include "data/stored_array.h"

namespace espalier::data {

class BinBuilder {
  public:
    /// spent: null, or `rows` if they may be dropped.
    BinBuilder(const CompactRows& rows, CompactRows* spent, const BinLayout& layout, bool with_tiles, WorkerTeam& team,
               ArrayStore& store);

    void Run(std::vector<BinnedColumn>& columns, std::vector<BinnedTile>& tiles);

  private:
    /// What one feature's values are in one data set.
    struct FeatureStats {
        std::uint64_t num_entries = 0;  ///< not 0
        std::int64_t num_zeros = 0;     ///< while counting: differences
        float lowest = 0;
        float highest = 0;
        std::uint32_t highest_code = 0;  ///< of a value, or of a missing one
    };
    /// Where the values of a feature go. 32 bytes, for every value comes by here.
    struct Target {
        void* codes = nullptr;          ///< of a dense column
        std::uint32_t skipped_bin = 0;  ///< BinLayout::kNothingSkipped equals no bin
        std::uint32_t last_bin = 0;
        std::uint32_t first_cell = 0;    ///< what the listed cells are counted from
        std::uint32_t place_in_row = 0;  ///< of a dense tile
        std::uint32_t tile = 0;
        std::uint8_t code_bytes = 0;  ///< 1, 2 or 4; 0 for a sparse column

        void SetCode(std::size_t row, std::uint32_t code) const {
            if (code_bytes == 1) {
                static_cast<std::uint8_t*>(codes)[row] = static_cast<std::uint8_t>(code);
            } else if (code_bytes == 2) {
                static_cast<std::uint16_t*>(codes)[row] = static_cast<std::uint16_t>(code);
            } else if (code_bytes == 4) {
                static_cast<std::uint32_t*>(codes)[row] = code;
            }
        }
    };
    static_assert(sizeof(Target) == 32);
    /// Where the cells of one tile go, for one worker.
    struct Cursor {
        std::uint8_t* cells8 = nullptr;  ///< one of the three: where the row (dense), the next cell (sparse) begins
        std::uint16_t* cells16 = nullptr;
        std::uint32_t* cells32 = nullptr;
        std::uint32_t num_in_row = 0;
    };
    enum class Pass { kCount, kWrite };
    struct Block {
        BlockView rows;
        const std::uint32_t* codes = nullptr;  ///< [entries], where they were found beforehand
        const std::uint8_t* table8 = nullptr;  ///< code_table8_ and code_table16_
        const std::uint16_t* table16 = nullptr;
        const std::uint32_t* listed = nullptr;  ///< listed_codes_
    };
    /// Where the code of an entry comes from.
    enum class Source { kFound, kTable8, kTable16, kFinder };

    void FindStats();
    static void AddRanges(const ColumnsView& block, FeatureStats* stats);
    void MakeGrids();
    bool IsDoneByColumns(std::size_t block) const { return !grids_.empty() && rows_.has_columns(block); }
    void DoColumns(const ColumnsView& block, std::size_t first_row, std::vector<BinnedTile>& tiles) const;
    static void PutCodes(const Target& target, std::span<const std::uint32_t> codes, std::size_t first_row,
                         BinLayout::TileKind kind, BinnedTile* tile);
    template <typename Cell>
    static void PutCells(Target target, std::span<const std::uint32_t> codes, Cell* cells, std::size_t stride);
    void MakeColumns(std::vector<BinnedColumn>& columns);
    void FillColumns(std::vector<BinnedColumn>& columns);
    void MakeTargets(std::vector<BinnedColumn>& columns);
    void FindWork();
    void TabulateCodes();
    template <typename Code>
    void FillTable(std::vector<Code>& table);
    void FindCodes();
    void MakeTiles(std::vector<BinnedTile>& tiles);
    void PadLists(BinnedTile& tile) const;
    void FillTileRows(std::vector<BinnedTile>& tiles, std::size_t first_row, std::size_t num_rows) const;
    void FillSparseColumns(std::vector<BinnedColumn>& columns);
    Block Decode(std::size_t block, int worker) {
        return {decoders_[static_cast<std::size_t>(worker)].Decode(rows_, block),
                found_codes_.empty() ? nullptr : found_codes_.data() + first_entries_[block], code_table8_.data(),
                code_table16_.data(), listed_codes_.data()};
    }
    /// body(begin, end, worker) for parts of the features whose columns and finders fit the cache.
    template <typename Body>
    void ForFeatureParts(Body&& body);
    float ValueOf(const BlockView& rows, std::size_t entry) const {
        return rows.codes != nullptr ? rows_.dictionary().ValueOf(rows.codes[entry]) : rows.values[entry];
    }

    template <Pass kPass>
    void DoBlock(const Block& block, std::size_t first_row, std::vector<BinnedTile>& tiles, Cursor* cursors) const;
    template <Pass kPass, Source kSource>
    void DoRows(const Block& block, std::size_t first_row, std::vector<BinnedTile>& tiles, Cursor* cursors) const;
    template <Pass kPass, Source kSource>
    void DoTiles(const Block& block, std::size_t first_row, std::vector<BinnedTile>& tiles, Cursor* cursors) const;
    template <Pass kPass>
    static Cursor CursorOf(BinnedTile& tile, std::size_t row);
    static void NoteLength(BinnedTile& tile, std::size_t row, const Cursor& cursor);
    template <Pass kPass, Source kSource>
    void DoRow(const Block& block, std::size_t row_in_block, std::size_t row, Cursor* cursors) const;
    template <Pass kPass, Source kSource>
    void DoRowWithGaps(const Block& block, std::size_t row_in_block, std::size_t row, Cursor* cursors) const;
    template <Pass kPass, Source kSource>
    std::uint32_t DoEntries(const Block& block, std::uint32_t entry, std::uint32_t entries_end, std::size_t feature_end,
                            std::size_t row, Cursor* cursors) const;
    template <Pass kPass>
    void DoZeros(FeatureRun run, std::size_t row, Cursor* cursors) const;
    template <Pass kPass>
    void DoGap(std::size_t begin, std::size_t end, std::size_t row, Cursor* cursors) const;
    template <Pass kPass>
    void DoValue(const Target& target, std::uint32_t code, std::size_t row, BinLayout::TileKind kind,
                 Cursor& cursor) const;
    template <Pass kPass>
    static void List(const Target& target, std::uint32_t cell, BinLayout::TileKind kind, Cursor& cursor);
    Source SourceOf(const Block& block) const;
    template <Source kSource>
    std::uint32_t CodeOf(const Block& block, std::size_t entry) const;
    std::uint32_t CodeOf(const Block& block, std::size_t entry) const;

    const CompactRows& rows_;
    CompactRows* const spent_;
    const BinLayout& layout_;
    const bool with_tiles_;
    const std::size_t num_features_;
    WorkerTeam& team_;
    ArrayStore& store_;
    std::vector<BlockDecoder> decoders_;
    std::vector<BinFinder> finders_;
    std::vector<BinGrid> grids_;  ///< [features] where blocks are done column by column, else empty
    std::vector<FeatureStats> stats_;
    std::vector<std::uint32_t> fills_;  ///< what a dense column holds where nothing is written
    std::vector<Target> targets_;
    /// [features x dictionary codes], at most one of the two: the narrower it is, the more of it stays in the second
    /// cache.
    std::vector<std::uint8_t> code_table8_;
    std::vector<std::uint16_t> code_table16_;
    /// A bit for each of the table's codes: whether its cell is listed. All of it fits the first cache.
    std::vector<std::uint32_t> listed_codes_;
    std::vector<std::uint64_t> first_entries_;  ///< [blocks] of found_codes_
    StoredArray<std::uint32_t> found_codes_;    ///< [entries], or empty
    /// [features + 1] the first feature from here on that has something to do for a 0, and for a missing value.
    std::vector<std::uint32_t> next_zero_work_;
    std::vector<std::uint32_t> next_gap_work_;
};

}  // namespace espalier::data
