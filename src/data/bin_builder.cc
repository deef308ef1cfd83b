#include "data/bin_builder.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/check.h"

namespace espalier::data {

namespace {

// A sparse column costs 5 to 8 bytes per present value and a walk over its entries; a dense one 1 byte per row.
constexpr std::size_t kSparseColumnRatio = 8;
constexpr std::size_t kCodes = ValueDictionary::kValuesMax;
// The table of codes takes 1 KB a feature.
constexpr std::size_t kTabulatedFeaturesMax = 16'384;
// As many features as have finders and ends of columns in the second cache, and in the pages a core remembers.
constexpr std::size_t kPartFeatures = 1024;

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

BinBuilder::BinBuilder(const CompactRows& rows, const BinLayout& layout, bool with_tiles, WorkerTeam& team,
                       ArrayStore& store)
    : rows_(rows),
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
    FindCodes();
    if (with_tiles_) MakeTiles(tiles);
    std::vector<std::vector<Cursor>> cursors(decoders_.size(), std::vector<Cursor>(tiles.size()));
    team_.ForEach(rows_.num_blocks(), [&](std::size_t block, int worker) {
        DoBlock<Pass::kWrite>(Decode(block, worker), rows_.first_row(block), tiles,
                              cursors[static_cast<std::size_t>(worker)].data());
    });
    FillSparseColumns(columns);
}

void BinBuilder::FindStats() {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const FeatureStats none{.lowest = kInfinity, .highest = -kInfinity};
    std::vector<std::vector<FeatureStats>> of_worker(decoders_.size(),
                                                     std::vector<FeatureStats>(num_features_ + 1, none));
    team_.ForEach(rows_.num_blocks(), [&](std::size_t b, int worker) {
        FeatureStats* stats = of_worker[static_cast<std::size_t>(worker)].data();
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

void BinBuilder::MakeColumns(std::vector<BinnedColumn>& columns) {
    columns.resize(num_features_);
    fills_.resize(num_features_);
    for (std::size_t f = 0; f < num_features_; ++f) {
        BinnedColumn& column = columns[f];
        column.num_bins = layout_.cuts.num_bins(f);
        const auto num_zeros = static_cast<std::uint64_t>(stats_[f].num_zeros);
        const std::uint64_t num_present = stats_[f].num_entries + num_zeros;
        if (num_present * kSparseColumnRatio < rows_.num_rows()) {
            column.sparse = true;
            column.rows = store_.Make<std::uint32_t>(num_present);
            column.codes = CodeArray(num_present, column.above_code(), store_);
            continue;
        }
        std::uint32_t highest_code = column.num_bins - 1;
        if (num_present < rows_.num_rows()) highest_code = column.missing_code();
        if (num_present > 0 && stats_[f].lowest < layout_.cuts.min_values[f]) highest_code = column.below_code();
        if (num_present > 0 && stats_[f].highest >= layout_.cuts.values[layout_.cuts.offsets[f + 1] - 1]) {
            highest_code = column.above_code();
        }
        column.codes = CodeArray(rows_.num_rows(), highest_code, store_);
        fills_[f] = num_zeros > rows_.num_rows() - num_present ? finders_[f].zero_code() : column.missing_code();
    }
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
        columns[f].codes.Visit([&target](auto& codes) {
            using Code = typename std::decay_t<decltype(codes)>::value_type;
            if constexpr (sizeof(Code) == 1) {
                target.codes8 = codes.data();
            } else if constexpr (sizeof(Code) == 2) {
                target.codes16 = codes.data();
            } else {
                target.codes32 = codes.data();
            }
        });
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
        const bool dense = target.codes8 != nullptr || target.codes16 != nullptr || target.codes32 != nullptr;
        const bool lists_zero = with_tiles_ && std::min(zero_code, target.last_bin) != target.skipped_bin;
        const bool lists_gap = with_tiles_ && layout_.has_missing_cell[f] != 0;
        next_zero_work_[f] = (dense && fills_[f] != zero_code) || lists_zero ? f : next_zero_work_[f + 1];
        next_gap_work_[f] = (dense && fills_[f] == zero_code) || lists_gap ? f : next_gap_work_[f + 1];
    }
}

void BinBuilder::TabulateCodes() {
    if (!rows_.has_codes() || num_features_ > kTabulatedFeaturesMax) return;
    code_table_.resize(num_features_ * kCodes);
    team_.ForEach(num_features_, [&](std::size_t f, int) {
        for (std::size_t code = 0; code < kCodes; ++code) {
            code_table_[f * kCodes + code] =
                finders_[f].CodeOf(rows_.dictionary().ValueOf(static_cast<std::uint8_t>(code)));
        }
    });
}

template <typename Body>
void BinBuilder::ForFeatureParts(Body&& body) {
    const std::size_t of_worker = (num_features_ + decoders_.size() - 1) / decoders_.size();
    team_.ForBlocks(num_features_, std::clamp<std::size_t>(of_worker, 1, kPartFeatures), body);
}

void BinBuilder::FindCodes() {
    if (!code_table_.empty() || num_features_ <= kPartFeatures) return;
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
        std::vector<std::vector<Cursor>> cursors(decoders_.size(), std::vector<Cursor>(tiles.size()));
        team_.ForEach(rows_.num_blocks(), [&](std::size_t block, int worker) {
            DoBlock<Pass::kCount>(Decode(block, worker), rows_.first_row(block), tiles,
                                  cursors[static_cast<std::size_t>(worker)].data());
        });
    }
    for (std::size_t t = 0; t < tiles.size(); ++t) {
        std::uint64_t num_cells = std::uint64_t{tiles[t].stride} * rows_.num_rows();
        if (!IsDense(layout_, t)) {
            for (std::uint32_t& offset : tiles[t].row_offsets) {
                num_cells += offset;
                offset = static_cast<std::uint32_t>(num_cells);
            }
            CHECK(num_cells <= std::numeric_limits<std::uint32_t>::max(), "{} listed cells in one tile", num_cells);
        }
        switch (layout_.tiles[t].kind) {
            case BinLayout::TileKind::kDense8:
                tiles[t].cells8 = store_.Make<std::uint8_t>(num_cells);
                // Padding is never read for its value, but a file of it should be the same each time.
                if (tiles[t].stride > layout_.tiles[t].num_features())
                    std::fill(tiles[t].cells8.begin(), tiles[t].cells8.end(), 0);
                break;
            case BinLayout::TileKind::kSparse16:
            case BinLayout::TileKind::kDense16:
                tiles[t].cells16 = store_.Make<std::uint16_t>(num_cells);
                break;
            case BinLayout::TileKind::kSparse32:
                tiles[t].cells32 = store_.Make<std::uint32_t>(num_cells);
                break;
        }
    }
}

template <BinBuilder::Pass kPass>
void BinBuilder::DoBlock(const Block& block, std::size_t first_row, std::vector<BinnedTile>& tiles,
                         Cursor* cursors) const {
    for (std::size_t r = 0; r < block.rows.num_rows; ++r) {
        const std::size_t row = first_row + r;
        for (std::size_t t = 0; t < tiles.size(); ++t) {
            const std::size_t place = IsDense(layout_, t)     ? row * tiles[t].stride
                                      : kPass == Pass::kWrite ? tiles[t].row_offsets[row]
                                                              : 0;
            cursors[t] = {.cells8 = tiles[t].cells8.data() + (tiles[t].cells8.empty() ? 0 : place),
                          .cells16 = tiles[t].cells16.data() + (tiles[t].cells16.empty() ? 0 : place),
                          .cells32 = tiles[t].cells32.data() + (tiles[t].cells32.empty() ? 0 : place)};
        }
        DoRow<kPass>(block, r, row, cursors);
        if (kPass == Pass::kWrite) continue;
        for (std::size_t t = 0; t < tiles.size(); ++t) {
            if (!IsDense(layout_, t)) tiles[t].row_offsets[row + 1] = cursors[t].num_in_row;
        }
    }
}

// Entries and runs of zeros in the order of features, and the gaps between them.
template <BinBuilder::Pass kPass>
void BinBuilder::DoRow(const Block& block, std::size_t row_in_block, std::size_t row, Cursor* cursors) const {
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
            DoValue<kPass>(begin, CodeOf(block, entry), row, cursors);
            ++entry;
            next = begin + 1;
            continue;
        }
        next = block.rows.runs[run++].end;
        for (std::size_t f = next_zero_work_[begin]; f < next; f = next_zero_work_[f + 1]) {
            DoValue<kPass>(f, finders_[f].zero_code(), row, cursors);
        }
    }
    if (next < num_features_) DoGap<kPass>(next, num_features_, row, cursors);
}

template <BinBuilder::Pass kPass>
void BinBuilder::DoValue(std::size_t feature, std::uint32_t code, std::size_t row, Cursor* cursors) const {
    const Target& target = targets_[feature];
    if (kPass == Pass::kWrite) {
        if (target.codes8 != nullptr) {
            target.codes8[row] = static_cast<std::uint8_t>(code);
        } else if (target.codes16 != nullptr) {
            target.codes16[row] = static_cast<std::uint16_t>(code);
        } else if (target.codes32 != nullptr) {
            target.codes32[row] = code;
        }
    }
    if (!with_tiles_) return;
    const std::uint32_t bin = std::min(code, target.last_bin);
    if (bin != target.skipped_bin) List<kPass>(target, bin, cursors);
}

template <BinBuilder::Pass kPass>
void BinBuilder::DoGap(std::size_t begin, std::size_t end, std::size_t row, Cursor* cursors) const {
    for (std::size_t f = next_gap_work_[begin]; f < end; f = next_gap_work_[f + 1]) {
        const Target& target = targets_[f];
        const std::uint32_t missing = target.last_bin + 1;
        if (kPass == Pass::kWrite) {
            if (target.codes8 != nullptr) {
                target.codes8[row] = static_cast<std::uint8_t>(missing);
            } else if (target.codes16 != nullptr) {
                target.codes16[row] = static_cast<std::uint16_t>(missing);
            } else if (target.codes32 != nullptr) {
                target.codes32[row] = missing;
            }
        }
        if (with_tiles_ && layout_.has_missing_cell[f] != 0) List<kPass>(target, missing, cursors);
    }
}

template <BinBuilder::Pass kPass>
void BinBuilder::List(const Target& target, std::uint32_t cell, Cursor* cursors) const {
    Cursor& cursor = cursors[target.tile];
    if (kPass == Pass::kCount) {
        ++cursor.num_in_row;
        return;
    }
    const std::uint32_t listed = target.first_cell + cell;
    switch (layout_.tiles[target.tile].kind) {
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

std::uint32_t BinBuilder::CodeOf(const Block& block, std::size_t entry) const {
    if (block.codes != nullptr) return block.codes[entry];
    const std::uint32_t feature = block.rows.features[entry];
    if (block.rows.codes != nullptr && !code_table_.empty()) {
        return code_table_[std::size_t{feature} * kCodes + block.rows.codes[entry]];
    }
    return finders_[feature].CodeOf(ValueOf(block.rows, entry));
}

void BinBuilder::FillSparseColumns(std::vector<BinnedColumn>& columns) {
    const bool any = std::any_of(columns.begin(), columns.end(),
                                 [](const BinnedColumn& c) { return c.sparse && c.rows.size() > 0; });
    if (!any) return;
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
