#include "data/bin_builder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "base/check.h"

namespace espalier::data {

namespace {

// A sparse column costs 5 to 8 bytes per present value and a walk over its entries; a dense one 1 byte per row.
constexpr std::size_t kSparseColumnRatio = 8;
constexpr std::size_t kCodes = ValueDictionary::kValuesMax;
// Lists are padded when that adds at most an eighth to what is added up.
constexpr std::uint64_t kPaddedShare = 8;
// The table of codes takes 256 or 512 bytes a feature.
constexpr std::size_t kTabulatedFeaturesMax = 16'384;
// As many features as have finders and ends of columns in the second cache, and in the pages a core remembers.
constexpr std::size_t kPartFeatures = 1024;
// Rows of 32 bytes in a tile of the first cache, beside a grid.
constexpr std::size_t kColumnRows = 512;

/// body(entry) for the row's entries of features [begin, end).
template <typename Body>
void ForEntries(const BlockView& rows, std::size_t row, std::size_t begin, std::size_t end, Body&& body) {
    const auto* const last = rows.features + rows.entry_offsets[row + 1];
    const auto* at = std::lower_bound(rows.features + rows.entry_offsets[row], last, begin);
    for (; at < last && *at < end; ++at) body(static_cast<std::size_t>(at - rows.features));
}

bool IsDense(const BinLayout& layout, std::size_t tile) {
    return layout.tiles[tile].is_dense();
}

/// Bytes from row to row of a dense tile of bytes: a power of two where that costs little, so that rows lie in as few
/// cache lines as they can.
std::uint32_t ByteStride(std::uint32_t num_features) {
    const std::uint32_t power = std::bit_ceil(num_features);
    return power - num_features <= num_features / 4 ? power : num_features;
}

std::uint32_t StrideOf(const BinLayout::Tile& tile) {
    if (!tile.is_dense()) return 0;
    return tile.kind == BinLayout::TileKind::kDense8 ? ByteStride(tile.num_features()) : tile.num_features();
}

}  // namespace

BinBuilder::BinBuilder(const CompactRows& rows, CompactRows* spent, const BinLayout& layout, bool with_tiles,
                       WorkerTeam& team, ArrayStore& store)
    : rows_(rows),
      spent_(spent),
      layout_(layout),
      with_tiles_(with_tiles),
      num_features_(layout.num_features()),
      team_(team),
      store_(store),
      decoders_(static_cast<std::size_t>(team.num_threads())) {
    for (std::size_t f = 0; f < num_features_; ++f) finders_.emplace_back(layout.cuts, f);
}

void BinBuilder::Run(std::vector<BinnedColumn>& columns, std::vector<BinnedTile>& tiles) {
    FindStats();
    MakeColumns(columns);
    MakeTargets(columns);
    FindWork();
    TabulateCodes();
    MakeGrids();
    FillColumns(columns);
    FindCodes();
    if (with_tiles_) MakeTiles(tiles);
    std::vector<std::vector<Cursor>> cursors(decoders_.size(), std::vector<Cursor>(layout_.tiles.size()));
    const bool has_sparse_columns = std::any_of(columns.begin(), columns.end(),
                                                [](const BinnedColumn& c) { return c.sparse && c.rows.size() > 0; });
    team_.ForEach(rows_.num_blocks(), [&](std::size_t block, int worker) {
        FillTileRows(tiles, rows_.first_row(block), rows_.num_rows(block));
        if (IsDoneByColumns(block)) {
            DoColumns(decoders_[static_cast<std::size_t>(worker)].DecodeColumns(rows_, block), rows_.first_row(block),
                      tiles);
        } else {
            DoBlock<Pass::kWrite>(Decode(block, worker), rows_.first_row(block), tiles,
                                  cursors[static_cast<std::size_t>(worker)].data());
        }
        if (spent_ != nullptr && !has_sparse_columns) spent_->Drop(block);
    });
    if (has_sparse_columns) FillSparseColumns(columns);
}

void BinBuilder::FindStats() {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const FeatureStats none{.lowest = kInfinity, .highest = -kInfinity};
    std::vector<std::vector<FeatureStats>> of_worker(decoders_.size(),
                                                     std::vector<FeatureStats>(num_features_ + 1, none));
    team_.ForEach(rows_.num_blocks(), [&](std::size_t b, int worker) {
        FeatureStats* stats = of_worker[static_cast<std::size_t>(worker)].data();
        if (rows_.has_columns(b)) {
            AddRanges(decoders_[static_cast<std::size_t>(worker)].DecodeColumns(rows_, b), stats);
            return;
        }
        const BlockView block = Decode(b, worker).rows;
        for (std::uint32_t e = 0; e < block.entry_offsets[block.num_rows]; ++e) {
            FeatureStats& of_feature = stats[block.features[e]];
            const float value = ValueOf(block, e);
            ++of_feature.num_entries;
            of_feature.lowest = std::min(of_feature.lowest, value);
            of_feature.highest = std::max(of_feature.highest, value);
        }
        for (std::uint32_t r = 0; r < block.run_offsets[block.num_rows]; ++r) {
            ++stats[block.runs[r].begin].num_zeros;
            --stats[block.runs[r].end].num_zeros;
        }
    });
    stats_ = std::move(of_worker[0]);
    for (std::size_t worker = 1; worker < of_worker.size(); ++worker) {
        for (std::size_t f = 0; f <= num_features_; ++f) {
            const FeatureStats& part = of_worker[worker][f];
            stats_[f].num_entries += part.num_entries;
            stats_[f].num_zeros += part.num_zeros;
            stats_[f].lowest = std::min(stats_[f].lowest, part.lowest);
            stats_[f].highest = std::max(stats_[f].highest, part.highest);
        }
    }
    std::int64_t open_runs = 0;
    for (FeatureStats& stats : stats_) {
        open_runs += stats.num_zeros;
        stats.num_zeros = open_runs;
        if (open_runs == 0) continue;
        stats.lowest = std::min(stats.lowest, 0.0F);
        stats.highest = std::max(stats.highest, 0.0F);
    }
}

void BinBuilder::AddRanges(const ColumnsView& block, FeatureStats* stats) {
    for (std::size_t f = 0; f < block.num_features; ++f) {
        const kernels::ValueRange& range = block.ranges[f];
        stats[f].num_entries += block.num_rows - range.num_zeros - range.num_missing;
        stats[f].num_zeros += range.num_zeros;
        stats[f + 1].num_zeros -= range.num_zeros;
        stats[f].lowest = std::min(stats[f].lowest, range.lowest);
        stats[f].highest = std::max(stats[f].highest, range.highest);
    }
}

void BinBuilder::MakeColumns(std::vector<BinnedColumn>& columns) {
    columns.resize(num_features_);
    fills_.resize(num_features_);
    for (std::size_t f = 0; f < num_features_; ++f) {
        BinnedColumn& column = columns[f];
        column.num_bins = layout_.cuts.num_bins(f);
        const auto num_zeros = static_cast<std::uint64_t>(stats_[f].num_zeros);
        const std::uint64_t num_present = stats_[f].num_entries + num_zeros;
        std::uint32_t& highest_code = stats_[f].highest_code;
        highest_code = column.num_bins - 1;
        if (num_present < rows_.num_rows()) highest_code = column.missing_code();
        if (num_present > 0 && stats_[f].lowest < layout_.cuts.min_values[f]) highest_code = column.below_code();
        if (num_present > 0 && stats_[f].highest >= layout_.cuts.values[layout_.cuts.offsets[f + 1] - 1]) {
            highest_code = column.above_code();
        }
        if (num_present * kSparseColumnRatio < rows_.num_rows()) {
            column.sparse = true;
            column.rows = store_.Make<std::uint32_t>(num_present);
            column.codes = CodeArray(num_present, column.above_code(), store_);
            continue;
        }
        column.codes = CodeArray(rows_.num_rows(), highest_code, store_);
        fills_[f] = num_zeros > rows_.num_rows() - num_present ? finders_[f].zero_code() : column.missing_code();
    }
}

void BinBuilder::FillColumns(std::vector<BinnedColumn>& columns) {
    bool by_columns = true;
    for (std::size_t b = 0; b < rows_.num_blocks(); ++b) by_columns = by_columns && IsDoneByColumns(b);
    if (by_columns) return;  // These write to every row.
    team_.ForEach(num_features_, [&](std::size_t f, int) {
        // Without missing values every code is written, and "missing" may not fit.
        if (!columns[f].sparse) columns[f].codes.Fill(fills_[f]);
    });
}

void BinBuilder::MakeTargets(std::vector<BinnedColumn>& columns) {
    targets_.resize(num_features_);
    for (std::size_t f = 0; f < num_features_; ++f) {
        Target& target = targets_[f];
        target.skipped_bin = static_cast<std::uint32_t>(layout_.skipped_bin[f]);
        target.last_bin = columns[f].num_bins - 1;
        if (columns[f].sparse) continue;
        target.codes = columns[f].codes.data();
        target.code_bytes = static_cast<std::uint8_t>(columns[f].codes.code_bytes());
    }
    for (std::uint32_t t = 0; t < layout_.tiles.size(); ++t) {
        const BinLayout::Tile& tile = layout_.tiles[t];
        for (std::uint32_t f = tile.feature_begin; f < tile.feature_end; ++f) {
            targets_[f].tile = t;
            targets_[f].place_in_row = f - tile.feature_begin;
            targets_[f].first_cell =
                tile.kind == BinLayout::TileKind::kDense8 ? 0 : layout_.cell_offsets[f] - tile.cell_begin;
        }
    }
}

void BinBuilder::FindWork() {
    const auto end = static_cast<std::uint32_t>(num_features_);
    next_zero_work_.assign(num_features_ + 1, end);
    next_gap_work_.assign(num_features_ + 1, end);
    for (std::uint32_t f = end; f-- > 0;) {
        const Target& target = targets_[f];
        const std::uint32_t zero_code = finders_[f].zero_code();
        const bool dense = target.code_bytes != 0;
        const bool lists_zero = with_tiles_ && std::min(zero_code, target.last_bin) != target.skipped_bin;
        const bool lists_gap = with_tiles_ && layout_.has_missing_cell[f] != 0;
        const bool has_zeros = stats_[f].num_zeros > 0;
        const bool has_gaps =
            stats_[f].num_entries + static_cast<std::uint64_t>(stats_[f].num_zeros) < rows_.num_rows();
        const bool works_for_zero = has_zeros && ((dense && fills_[f] != zero_code) || lists_zero);
        const bool works_for_gap = has_gaps && ((dense && fills_[f] == zero_code) || lists_gap);
        next_zero_work_[f] = works_for_zero ? f : next_zero_work_[f + 1];
        next_gap_work_[f] = works_for_gap ? f : next_gap_work_[f + 1];
    }
}

void BinBuilder::TabulateCodes() {
    if (!rows_.has_codes() || num_features_ > kTabulatedFeaturesMax) return;
    std::uint32_t highest = 0;
    for (std::size_t f = 0; f < num_features_; ++f) highest = std::max(highest, stats_[f].highest_code);
    if (highest <= 0xFF) {
        FillTable(code_table8_);
    } else if (highest <= 0xFFFF) {
        FillTable(code_table16_);
    }
}

template <typename Code>
void BinBuilder::FillTable(std::vector<Code>& table) {
    table.resize(num_features_ * kCodes);
    listed_codes_.resize(table.size() / 32);
    team_.ForEach(num_features_, [&](std::size_t f, int) {
        for (std::size_t code = 0; code < kCodes; ++code) {
            const float value = rows_.dictionary().ValueOf(static_cast<std::uint8_t>(code));
            // Values that the feature never has may have codes beyond the highest.
            if (value < stats_[f].lowest || value > stats_[f].highest) continue;
            const std::size_t place = f * kCodes + code;
            table[place] = static_cast<Code>(finders_[f].CodeOf(value));
            if (std::min<std::uint32_t>(table[place], targets_[f].last_bin) == targets_[f].skipped_bin) continue;
            listed_codes_[place / 32] |= 1U << place % 32;
        }
    });
}

void BinBuilder::MakeGrids() {
    bool any = false;
    for (std::size_t b = 0; b < rows_.num_blocks(); ++b) any = any || rows_.has_columns(b);
    for (const Target& target : targets_) any = any && target.code_bytes != 0;
    for (std::size_t t = 0; t < layout_.tiles.size() && with_tiles_; ++t) any = any && IsDense(layout_, t);
    if (!any) return;
    for (std::size_t f = 0; f < num_features_; ++f) grids_.emplace_back(layout_.cuts, f, finders_[f]);
}

// A part of the rows whose tile stays in the first cache, feature by feature.
void BinBuilder::DoColumns(const ColumnsView& block, std::size_t first_row, std::vector<BinnedTile>& tiles) const {
    std::array<std::uint32_t, kColumnRows> codes;
    for (std::size_t begin = 0; begin < block.num_rows; begin += kColumnRows) {
        const std::size_t num_rows = std::min(kColumnRows, block.num_rows - begin);
        for (std::size_t f = 0; f < num_features_; ++f) {
            if (f < block.num_features) {
                grids_[f].Find(block.column(f).subspan(begin, num_rows), grids_[f].Holds(block.ranges[f]),
                               codes.data());
            } else {
                codes.fill(targets_[f].last_bin + 1);
            }
            const std::uint32_t tile = targets_[f].tile;
            PutCodes(targets_[f], {codes.data(), num_rows}, first_row + begin, layout_.tiles[tile].kind,
                     with_tiles_ ? &tiles[tile] : nullptr);
        }
    }
}

void BinBuilder::PutCodes(const Target& target, std::span<const std::uint32_t> codes, std::size_t first_row,
                          BinLayout::TileKind kind, BinnedTile* tile) {
    if (target.code_bytes == 1) {
        auto* column = static_cast<std::uint8_t*>(target.codes) + first_row;
        for (std::size_t i = 0; i < codes.size(); ++i) column[i] = static_cast<std::uint8_t>(codes[i]);
    } else {
        for (std::size_t i = 0; i < codes.size(); ++i) target.SetCode(first_row + i, codes[i]);
    }
    if (tile == nullptr) return;
    const std::size_t place = first_row * tile->stride + target.place_in_row;
    if (kind == BinLayout::TileKind::kDense8) {
        PutCells(target, codes, tile->cells8.data() + place, tile->stride);
    } else {
        PutCells(target, codes, tile->cells16.data() + place, tile->stride);
    }
}

// The target is a copy: a byte that is written might be any other's.
template <typename Cell>
void BinBuilder::PutCells(const Target target, std::span<const std::uint32_t> codes, Cell* cells, std::size_t stride) {
    for (std::size_t i = 0; i < codes.size(); ++i) {
        // A missing value has the cell behind the last bin.
        const std::uint32_t bin = codes[i] > target.last_bin + 1 ? target.last_bin : codes[i];
        cells[i * stride] = static_cast<Cell>(target.first_cell + bin);
    }
}

template <typename Body>
void BinBuilder::ForFeatureParts(Body&& body) {
    const std::size_t of_worker = (num_features_ + decoders_.size() - 1) / decoders_.size();
    team_.ForBlocks(num_features_, std::clamp<std::size_t>(of_worker, 1, kPartFeatures), body);
}

void BinBuilder::FindCodes() {
    if (!code_table8_.empty() || !code_table16_.empty() || num_features_ <= kPartFeatures) return;
    std::uint64_t num_entries = 0;
    for (std::size_t b = 0; b < rows_.num_blocks(); ++b) {
        first_entries_.push_back(num_entries);
        num_entries += rows_.num_stored(b);
    }
    found_codes_ = store_.Make<std::uint32_t>(num_entries);
    ForFeatureParts([&](std::size_t begin, std::size_t end, int worker) {
        for (std::size_t b = 0; b < rows_.num_blocks(); ++b) {
            const BlockView rows = Decode(b, worker).rows;
            std::uint32_t* codes = found_codes_.data() + first_entries_[b];
            for (std::size_t row = 0; row < rows.num_rows; ++row) {
                ForEntries(rows, row, begin, end, [&](std::size_t entry) {
                    codes[entry] = finders_[rows.features[entry]].CodeOf(ValueOf(rows, entry));
                });
            }
        }
    });
}

void BinBuilder::MakeTiles(std::vector<BinnedTile>& tiles) {
    tiles.resize(layout_.tiles.size());
    bool any_sparse = false;
    for (std::size_t t = 0; t < tiles.size(); ++t) {
        tiles[t].stride = StrideOf(layout_.tiles[t]);
        if (IsDense(layout_, t)) continue;
        any_sparse = true;
        tiles[t].row_offsets = store_.Make<std::uint32_t>(rows_.num_rows() + 1);
        tiles[t].row_offsets[0] = 0;
    }
    if (any_sparse) {
        std::vector<std::vector<Cursor>> cursors(decoders_.size(), std::vector<Cursor>(layout_.tiles.size()));
        team_.ForEach(rows_.num_blocks(), [&](std::size_t block, int worker) {
            DoBlock<Pass::kCount>(Decode(block, worker), rows_.first_row(block), tiles,
                                  cursors[static_cast<std::size_t>(worker)].data());
        });
    }
    for (std::size_t t = 0; t < tiles.size(); ++t) {
        if (layout_.tiles[t].kind == BinLayout::TileKind::kSparse16) PadLists(tiles[t]);
        std::uint64_t num_cells = std::uint64_t{tiles[t].stride} * rows_.num_rows();
        for (std::uint32_t& offset : tiles[t].row_offsets) {
            num_cells += offset;
            offset = static_cast<std::uint32_t>(num_cells);
        }
        CHECK(!tiles[t].row_offsets.empty() || num_cells <= std::numeric_limits<std::uint32_t>::max(),
              "{} listed cells in one tile", num_cells);
        switch (layout_.tiles[t].kind) {
            case BinLayout::TileKind::kDense8:
                tiles[t].cells8 = store_.Make<std::uint8_t>(num_cells);
                break;
            case BinLayout::TileKind::kSparse16:
                tiles[t].cells16 = store_.Make<std::uint16_t>(num_cells);
                break;
            case BinLayout::TileKind::kDense16:
                tiles[t].cells16 = store_.Make<std::uint16_t>(num_cells);
                break;
            case BinLayout::TileKind::kSparse32:
                tiles[t].cells32 = store_.Make<std::uint32_t>(num_cells);
                break;
        }
    }
}

/// Padding of dense rows is never read for its value, but a file of it should be the same each time.
void BinBuilder::FillTileRows(std::vector<BinnedTile>& tiles, std::size_t first_row, std::size_t num_rows) const {
    for (std::size_t t = 0; t < tiles.size(); ++t) {
        const BinLayout::Tile& layout = layout_.tiles[t];
        const std::size_t begin = first_row * tiles[t].stride;
        const std::size_t size = num_rows * tiles[t].stride;
        if (layout.kind == BinLayout::TileKind::kDense8 && tiles[t].stride > layout.num_features()) {
            std::fill_n(tiles[t].cells8.begin() + begin, size, std::uint8_t{0});
        } else if (layout.kind == BinLayout::TileKind::kSparse16) {
            std::fill_n(tiles[t].cells16.begin() + begin, size, static_cast<std::uint16_t>(layout.padding()));
        }
    }
}

/// Gives the tile a stride instead of the lengths of its lists, if these are nearly alike.
void BinBuilder::PadLists(BinnedTile& tile) const {
    std::uint64_t num_listed = 0;
    std::uint32_t longest = 0;
    for (const std::uint32_t length : tile.row_offsets) {
        num_listed += length;
        longest = std::max(longest, length);
    }
    if (longest == 0 || longest * rows_.num_rows() > num_listed + num_listed / kPaddedShare) return;
    tile.stride = longest;
    tile.row_offsets = {};
}

template <BinBuilder::Pass kPass>
void BinBuilder::DoBlock(const Block& block, std::size_t first_row, std::vector<BinnedTile>& tiles,
                         Cursor* cursors) const {
    switch (SourceOf(block)) {
        case Source::kFound:
            return DoRows<kPass, Source::kFound>(block, first_row, tiles, cursors);
        case Source::kTable8:
            return DoRows<kPass, Source::kTable8>(block, first_row, tiles, cursors);
        case Source::kTable16:
            return DoRows<kPass, Source::kTable16>(block, first_row, tiles, cursors);
        case Source::kFinder:
            return DoRows<kPass, Source::kFinder>(block, first_row, tiles, cursors);
    }
}

template <BinBuilder::Pass kPass, BinBuilder::Source kSource>
void BinBuilder::DoRows(const Block& block, std::size_t first_row, std::vector<BinnedTile>& tiles,
                        Cursor* cursors) const {
    const bool has_gaps = next_gap_work_[0] < num_features_;
    if (!has_gaps && next_zero_work_[0] == num_features_)
        return DoTiles<kPass, kSource>(block, first_row, tiles, cursors);
    for (std::size_t r = 0; r < block.rows.num_rows; ++r) {
        const std::size_t row = first_row + r;
        for (std::size_t t = 0; t < tiles.size(); ++t) cursors[t] = CursorOf<kPass>(tiles[t], row);
        if (has_gaps) {
            DoRowWithGaps<kPass, kSource>(block, r, row, cursors);
        } else {
            DoRow<kPass, kSource>(block, r, row, cursors);
        }
        if (kPass == Pass::kWrite) continue;
        for (std::size_t t = 0; t < tiles.size(); ++t) NoteLength(tiles[t], row, cursors[t]);
    }
}

// Where entries are all there is to do: tile by tile, so that the lines of its columns, which 64 rows share, and its
// part of the tables stay in the first cache.
template <BinBuilder::Pass kPass, BinBuilder::Source kSource>
void BinBuilder::DoTiles(const Block& block, std::size_t first_row, std::vector<BinnedTile>& tiles,
                         Cursor* cursors) const {
    const std::uint32_t* const offsets = block.rows.entry_offsets;
    std::vector<std::uint32_t> next_entries(offsets, offsets + block.rows.num_rows);
    for (std::size_t t = 0; t < layout_.tiles.size(); ++t) {
        const BinLayout::Tile& tile = layout_.tiles[t];
        for (std::size_t r = 0; r < block.rows.num_rows; ++r) {
            const std::size_t row = first_row + r;
            if (with_tiles_) cursors[t] = CursorOf<kPass>(tiles[t], row);
            next_entries[r] =
                DoEntries<kPass, kSource>(block, next_entries[r], offsets[r + 1], tile.feature_end, row, cursors);
            if (kPass == Pass::kCount) NoteLength(tiles[t], row, cursors[t]);
        }
    }
}

/// Where the tile's part of the row begins.
template <BinBuilder::Pass kPass>
BinBuilder::Cursor BinBuilder::CursorOf(BinnedTile& tile, std::size_t row) {
    const std::size_t place =
        kPass == Pass::kCount || tile.row_offsets.empty() ? row * tile.stride : tile.row_offsets[row];
    return {.cells8 = tile.cells8.data() + (tile.cells8.empty() ? 0 : place),
            .cells16 = tile.cells16.data() + (tile.cells16.empty() ? 0 : place),
            .cells32 = tile.cells32.data() + (tile.cells32.empty() ? 0 : place)};
}

/// Of a sparse tile's list.
void BinBuilder::NoteLength(BinnedTile& tile, std::size_t row, const Cursor& cursor) {
    if (!tile.row_offsets.empty()) tile.row_offsets[row + 1] = cursor.num_in_row;
}

// Entries, and between them the zeros that are anybody's business.
template <BinBuilder::Pass kPass, BinBuilder::Source kSource>
void BinBuilder::DoRow(const Block& block, std::size_t row_in_block, std::size_t row, Cursor* cursors) const {
    std::uint32_t entry = block.rows.entry_offsets[row_in_block];
    const std::uint32_t entries_end = block.rows.entry_offsets[row_in_block + 1];
    if (next_zero_work_[0] < num_features_) {
        for (std::uint32_t r = block.rows.run_offsets[row_in_block]; r < block.rows.run_offsets[row_in_block + 1];
             ++r) {
            const FeatureRun run = block.rows.runs[r];
            if (next_zero_work_[run.begin] >= run.end) continue;
            entry = DoEntries<kPass, kSource>(block, entry, entries_end, run.begin, row, cursors);
            DoZeros<kPass>(run, row, cursors);
        }
    }
    DoEntries<kPass, kSource>(block, entry, entries_end, num_features_, row, cursors);
}

// Entries and runs of zeros in the order of features, and the gaps between them.
template <BinBuilder::Pass kPass, BinBuilder::Source kSource>
void BinBuilder::DoRowWithGaps(const Block& block, std::size_t row_in_block, std::size_t row, Cursor* cursors) const {
    std::uint32_t entry = block.rows.entry_offsets[row_in_block];
    const std::uint32_t entries_end = block.rows.entry_offsets[row_in_block + 1];
    std::uint32_t run = block.rows.run_offsets[row_in_block];
    const std::uint32_t runs_end = block.rows.run_offsets[row_in_block + 1];
    std::size_t next = 0;  // the feature behind the last one seen
    while (entry < entries_end || run < runs_end) {
        const bool is_entry =
            run == runs_end || (entry < entries_end && block.rows.features[entry] < block.rows.runs[run].begin);
        const std::size_t begin = is_entry ? block.rows.features[entry] : block.rows.runs[run].begin;
        if (next < begin) DoGap<kPass>(next, begin, row, cursors);
        if (is_entry) {
            const Target& target = targets_[begin];
            DoValue<kPass>(target, CodeOf<kSource>(block, entry++), row, layout_.tiles[target.tile].kind,
                           cursors[target.tile]);
            next = begin + 1;
            continue;
        }
        next = block.rows.runs[run].end;
        DoZeros<kPass>(block.rows.runs[run++], row, cursors);
    }
    if (next < num_features_) DoGap<kPass>(next, num_features_, row, cursors);
}

// The entries below feature_end, tile by tile, so that a tile's cursor stays in registers, as do copies of what is
// read: a byte that is written might be any other's. Returns the entry behind.
template <BinBuilder::Pass kPass, BinBuilder::Source kSource>
std::uint32_t BinBuilder::DoEntries(const Block& block, std::uint32_t entry, std::uint32_t entries_end,
                                    std::size_t feature_end, std::size_t row, Cursor* cursors) const {
    const Block own = block;
    const std::uint32_t* const features = own.rows.features;
    const Target* const targets = targets_.data();
    while (entry < entries_end && features[entry] < feature_end) {
        const std::uint32_t t = targets[features[entry]].tile;
        const BinLayout::Tile tile = layout_.tiles[t];
        const std::size_t end = std::min<std::size_t>(feature_end, tile.feature_end);
        Cursor cursor = cursors[t];
        for (; entry < entries_end && features[entry] < end; ++entry) {
            if constexpr (kPass == Pass::kCount && (kSource == Source::kTable8 || kSource == Source::kTable16)) {
                const std::size_t place = std::size_t{features[entry]} * kCodes + own.rows.codes[entry];
                cursor.num_in_row += own.listed[place / 32] >> place % 32 & 1U;
                continue;
            }
            DoValue<kPass>(targets[features[entry]], CodeOf<kSource>(own, entry), row, tile.kind, cursor);
        }
        cursors[t] = cursor;
    }
    return entry;
}

template <BinBuilder::Pass kPass>
void BinBuilder::DoZeros(FeatureRun run, std::size_t row, Cursor* cursors) const {
    for (std::size_t f = next_zero_work_[run.begin]; f < run.end; f = next_zero_work_[f + 1]) {
        const Target& target = targets_[f];
        DoValue<kPass>(target, finders_[f].zero_code(), row, layout_.tiles[target.tile].kind, cursors[target.tile]);
    }
}

template <BinBuilder::Pass kPass>
void BinBuilder::DoGap(std::size_t begin, std::size_t end, std::size_t row, Cursor* cursors) const {
    for (std::size_t f = next_gap_work_[begin]; f < end; f = next_gap_work_[f + 1]) {
        const Target& target = targets_[f];
        const std::uint32_t missing = target.last_bin + 1;
        if (kPass == Pass::kWrite) target.SetCode(row, missing);
        if (with_tiles_ && layout_.has_missing_cell[f] != 0) {
            List<kPass>(target, missing, layout_.tiles[target.tile].kind, cursors[target.tile]);
        }
    }
}

template <BinBuilder::Pass kPass>
void BinBuilder::DoValue(const Target& target, std::uint32_t code, std::size_t row, BinLayout::TileKind kind,
                         Cursor& cursor) const {
    if (kPass == Pass::kWrite) target.SetCode(row, code);
    if (!with_tiles_) return;
    const std::uint32_t bin = std::min(code, target.last_bin);
    if (bin != target.skipped_bin) List<kPass>(target, bin, kind, cursor);
}

template <BinBuilder::Pass kPass>
void BinBuilder::List(const Target& target, std::uint32_t cell, BinLayout::TileKind kind, Cursor& cursor) {
    if (kPass == Pass::kCount) {
        ++cursor.num_in_row;
        return;
    }
    const std::uint32_t listed = target.first_cell + cell;
    switch (kind) {
        case BinLayout::TileKind::kSparse16:
            *cursor.cells16++ = static_cast<std::uint16_t>(listed);
            break;
        case BinLayout::TileKind::kSparse32:
            *cursor.cells32++ = listed;
            break;
        case BinLayout::TileKind::kDense8:
            cursor.cells8[target.place_in_row] = static_cast<std::uint8_t>(listed);
            break;
        case BinLayout::TileKind::kDense16:
            cursor.cells16[target.place_in_row] = static_cast<std::uint16_t>(listed);
            break;
    }
}

BinBuilder::Source BinBuilder::SourceOf(const Block& block) const {
    if (block.codes != nullptr) return Source::kFound;
    if (block.rows.codes == nullptr) return Source::kFinder;
    if (!code_table8_.empty()) return Source::kTable8;
    return code_table16_.empty() ? Source::kFinder : Source::kTable16;
}

template <BinBuilder::Source kSource>
std::uint32_t BinBuilder::CodeOf(const Block& block, std::size_t entry) const {
    if (kSource == Source::kFound) return block.codes[entry];
    const std::uint32_t feature = block.rows.features[entry];
    if (kSource == Source::kTable8) return block.table8[std::size_t{feature} * kCodes + block.rows.codes[entry]];
    if (kSource == Source::kTable16) return block.table16[std::size_t{feature} * kCodes + block.rows.codes[entry]];
    return finders_[feature].CodeOf(ValueOf(block.rows, entry));
}

std::uint32_t BinBuilder::CodeOf(const Block& block, std::size_t entry) const {
    switch (SourceOf(block)) {
        case Source::kFound:
            return CodeOf<Source::kFound>(block, entry);
        case Source::kTable8:
            return CodeOf<Source::kTable8>(block, entry);
        case Source::kTable16:
            return CodeOf<Source::kTable16>(block, entry);
        case Source::kFinder:
            break;
    }
    return CodeOf<Source::kFinder>(block, entry);
}

void BinBuilder::FillSparseColumns(std::vector<BinnedColumn>& columns) {
    // Rows must rise in a column, so each part of the features goes through all blocks by itself.
    std::vector<std::uint64_t> places(num_features_, 0);
    ForFeatureParts([&](std::size_t begin, std::size_t end, int worker) {
        const auto put = [&](std::size_t feature, std::uint32_t code, std::size_t row) {
            BinnedColumn& column = columns[feature];
            column.rows[places[feature]] = static_cast<std::uint32_t>(row);
            column.codes.Set(places[feature]++, code);
        };
        for (std::size_t b = 0; b < rows_.num_blocks(); ++b) {
            const Block block = Decode(b, worker);
            for (std::size_t r = 0; r < block.rows.num_rows; ++r) {
                const std::size_t row = rows_.first_row(b) + r;
                ForEntries(block.rows, r, begin, end, [&](std::size_t entry) {
                    const std::uint32_t feature = block.rows.features[entry];
                    if (columns[feature].sparse) put(feature, CodeOf(block, entry), row);
                });
                for (std::uint32_t run = block.rows.run_offsets[r]; run < block.rows.run_offsets[r + 1]; ++run) {
                    const std::size_t run_end = std::min<std::size_t>(block.rows.runs[run].end, end);
                    for (std::size_t f = std::max<std::size_t>(block.rows.runs[run].begin, begin); f < run_end; ++f) {
                        if (columns[f].sparse) put(f, finders_[f].zero_code(), row);
                    }
                }
            }
        }
    });
}

}  // namespace espalier::data
