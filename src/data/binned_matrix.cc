#include "data/binned_matrix.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace espalier::data {

namespace {

constexpr std::size_t kBlockRows = 1024;
// A sparse column costs 6 bytes per present value and a walk over its entries; a dense one 1 byte per row.
constexpr std::size_t kSparseColumnRatio = 8;
// Buckets of the grid that finds a value's bin; see BinFinder.
constexpr std::size_t kGridPerBin = 2;
constexpr std::size_t kGridMax = 1024;

/// Finds bins faster than a binary search over all cuts: a grid over the value range says between which two bins a
/// value's bucket lies. The answer equals CutPoints::BinOf, except that values outside the cuts get their own codes.
class BinFinder {
  public:
    BinFinder(const CutPoints& cuts, std::size_t feature)
        : cuts_(cuts.values.data() + cuts.offsets[feature]),
          num_bins_(cuts.num_bins(feature)),
          min_value_(cuts.min_values[feature]),
          last_cut_(cuts_[num_bins_ - 1]) {
        grid_size_ = std::min(kGridMax, kGridPerBin * num_bins_);
        const float low = cuts_[0];
        // The last cut lies far above the values; the grid spans the cuts before it.
        const float high = num_bins_ >= 2 ? cuts_[num_bins_ - 2] : low;
        low_ = low;
        const float width = high - low;
        per_value_ =
            width > 0 && width < std::numeric_limits<float>::max() ? static_cast<float>(grid_size_) / width : 0.0F;
        if (!(per_value_ < std::numeric_limits<float>::max())) per_value_ = 0.0F;
        // first_[b]: number of cuts whose bucket is below b. A value of bucket b is above all of them or equal, because
        // the map from values to buckets is monotone.
        first_.assign(grid_size_ + 2, 0);
        for (std::size_t cut = 0; cut < num_bins_; ++cut) ++first_[BucketOf(cuts_[cut]) + 1];
        for (std::size_t b = 1; b < first_.size(); ++b)
            first_[b] = static_cast<std::uint16_t>(first_[b] + first_[b - 1]);
        zero_code_ = Search(0.0F);
    }

    std::uint32_t zero_code() const { return zero_code_; }
    std::uint32_t CodeOf(float value) const { return value == 0.0F ? zero_code_ : Search(value); }

  private:
    std::size_t BucketOf(float value) const {
        const float place = (value - low_) * per_value_;
        if (!(place > 0)) return 0;
        return place < static_cast<float>(grid_size_) ? static_cast<std::size_t>(place) : grid_size_;
    }
    std::uint32_t Search(float value) const {
        if (value < min_value_) return num_bins_ + 1;
        if (value >= last_cut_) return num_bins_ + 2;
        const std::size_t bucket = BucketOf(value);
        const float* begin = cuts_ + first_[bucket];
        const float* end = cuts_ + first_[bucket + 1];
        while (end - begin > 8) {
            const float* middle = begin + (end - begin) / 2;
            if (*middle <= value) {
                begin = middle + 1;
            } else {
                end = middle;
            }
        }
        while (begin < end && *begin <= value) ++begin;
        return static_cast<std::uint32_t>(begin - cuts_);
    }

    const float* cuts_;
    std::uint32_t num_bins_;
    float min_value_;
    float last_cut_;
    float low_ = 0;
    float per_value_ = 0;
    std::size_t grid_size_ = 0;
    std::uint32_t zero_code_ = 0;
    std::vector<std::uint16_t> first_;
};

struct FeatureRange {
    std::uint64_t num_present = 0;
    float lowest = std::numeric_limits<float>::infinity();
    float highest = -std::numeric_limits<float>::infinity();
};

std::vector<FeatureRange> FindRanges(const FeatureRows& rows, std::size_t num_features, WorkerTeam& team) {
    const auto num_workers = static_cast<std::size_t>(team.num_threads());
    std::vector<std::vector<FeatureRange>> of_worker(num_workers, std::vector<FeatureRange>(num_features));
    team.ForBlocks(rows.num_rows(), kBlockRows, [&](std::size_t begin, std::size_t end, int worker) {
        FeatureRange* ranges = of_worker[static_cast<std::size_t>(worker)].data();
        for (std::uint64_t e = rows.row_offsets[begin]; e < rows.row_offsets[end]; ++e) {
            FeatureRange& range = ranges[rows.feature_idx[e]];
            ++range.num_present;
            range.lowest = std::min(range.lowest, rows.values[e]);
            range.highest = std::max(range.highest, rows.values[e]);
        }
    });
    for (std::size_t worker = 1; worker < num_workers; ++worker) {
        for (std::size_t feature = 0; feature < num_features; ++feature) {
            FeatureRange& total = of_worker[0][feature];
            const FeatureRange& part = of_worker[worker][feature];
            total.num_present += part.num_present;
            total.lowest = std::min(total.lowest, part.lowest);
            total.highest = std::max(total.highest, part.highest);
        }
    }
    return std::move(of_worker[0]);
}

BinnedColumn MakeColumn(const FeatureRange& range, const CutPoints& cuts, std::size_t feature, std::size_t num_rows) {
    BinnedColumn column;
    column.num_bins = cuts.num_bins(feature);
    if (range.num_present * kSparseColumnRatio < num_rows) {
        column.sparse = true;
        column.rows.reserve(range.num_present);
        column.sparse_codes.reserve(range.num_present);
        return column;
    }
    std::uint32_t highest_code = column.num_bins - 1;
    if (range.num_present < num_rows) highest_code = column.missing_code();
    if (range.num_present > 0 && range.lowest < cuts.min_values[feature]) highest_code = column.below_code();
    if (range.num_present > 0 && range.highest >= cuts.values[cuts.offsets[feature + 1] - 1]) {
        highest_code = column.above_code();
    }
    if (highest_code <= 255) {
        column.codes8.assign(num_rows, static_cast<std::uint8_t>(column.num_bins & 0xFFU));
    } else {
        column.codes16.assign(num_rows, static_cast<std::uint16_t>(column.num_bins));
    }
    return column;
}

/// The listed cells of one block of rows, tile by tile.
struct BlockCells {
    std::vector<std::uint32_t> cells;
    std::vector<std::uint32_t> num_in_row;  ///< [rows of the block]
};

class Builder {
  public:
    Builder(const FeatureRows& rows, const BinLayout& layout, std::vector<BinnedColumn>& columns, bool with_tiles)
        : rows_(rows), layout_(layout), columns_(columns), with_tiles_(with_tiles) {
        for (std::size_t feature = 0; feature < layout.num_features(); ++feature) {
            finders_.emplace_back(layout.cuts, feature);
            BinnedColumn& column = columns[feature];
            targets_.push_back({.codes8 = column.codes8.empty() ? nullptr : column.codes8.data(),
                                .codes16 = column.codes16.empty() ? nullptr : column.codes16.data(),
                                .zero_code = finders_.back().zero_code(),
                                .skipped_bin = static_cast<std::uint32_t>(layout.skipped_bin[feature]),
                                .last_bin = column.num_bins - 1});
        }
        tile_of_feature_.resize(layout.num_features());
        for (std::size_t tile = 0; tile < layout.tiles.size(); ++tile) {
            for (std::uint32_t f = layout.tiles[tile].feature_begin; f < layout.tiles[tile].feature_end; ++f) {
                tile_of_feature_[f] = static_cast<std::uint32_t>(tile);
            }
        }
        any_missing_cell_ = std::any_of(layout.has_missing_cell.begin(), layout.has_missing_cell.end(),
                                        [](std::uint8_t has) { return has != 0; });
    }

    /// Codes of rows [begin, end) into the dense columns, and their cells into `blocks` [tiles].
    void FillBlock(std::size_t begin, std::size_t end, std::vector<BlockCells>& blocks) const {
        if (with_tiles_) {
            for (BlockCells& block : blocks) block.num_in_row.assign(end - begin, 0);
        }
        for (std::size_t row = begin; row < end; ++row) {
            std::size_t next_feature = 0;
            for (std::uint64_t e = rows_.row_offsets[row]; e < rows_.row_offsets[row + 1]; ++e) {
                const std::size_t feature = rows_.feature_idx[e];
                const Target& target = targets_[feature];
                const float value = rows_.values[e];
                const std::uint32_t code = value == 0.0F ? target.zero_code : finders_[feature].CodeOf(value);
                if (target.codes8 != nullptr) {
                    target.codes8[row] = static_cast<std::uint8_t>(code);
                } else if (target.codes16 != nullptr) {
                    target.codes16[row] = static_cast<std::uint16_t>(code);
                }
                if (!with_tiles_) continue;
                if (any_missing_cell_) ListMissing(next_feature, feature, row - begin, blocks);
                next_feature = feature + 1;
                const std::uint32_t bin = std::min(code, target.last_bin);
                if (bin != target.skipped_bin) List(feature, bin, row - begin, blocks);
            }
            if (with_tiles_ && any_missing_cell_) {
                ListMissing(next_feature, layout_.num_features(), row - begin, blocks);
            }
        }
    }

    /// Entries of the sparse columns among [begin, end).
    void FillSparseColumns(std::size_t begin, std::size_t end) const {
        for (std::size_t row = 0; row < rows_.num_rows(); ++row) {
            const auto* first = rows_.feature_idx.data() + rows_.row_offsets[row];
            const auto* last = rows_.feature_idx.data() + rows_.row_offsets[row + 1];
            for (const auto* at = std::lower_bound(first, last, begin); at < last && *at < end; ++at) {
                BinnedColumn& column = columns_[*at];
                if (!column.sparse) continue;
                column.rows.push_back(static_cast<std::uint32_t>(row));
                column.sparse_codes.push_back(static_cast<std::uint16_t>(
                    finders_[*at].CodeOf(rows_.values[static_cast<std::size_t>(at - rows_.feature_idx.data())])));
            }
        }
    }

  private:
    /// What FillBlock needs of a feature, in one place.
    struct Target {
        std::uint8_t* codes8;
        std::uint16_t* codes16;
        std::uint32_t zero_code;
        std::uint32_t skipped_bin;  ///< BinLayout::kNothingSkipped equals no bin
        std::uint32_t last_bin;
    };
    void List(std::size_t feature, std::uint32_t cell, std::size_t row_in_block,
              std::vector<BlockCells>& blocks) const {
        const std::uint32_t tile = tile_of_feature_[feature];
        blocks[tile].cells.push_back(layout_.cell_offsets[feature] - layout_.tiles[tile].cell_begin + cell);
        ++blocks[tile].num_in_row[row_in_block];
    }
    void ListMissing(std::size_t begin, std::size_t end, std::size_t row_in_block,
                     std::vector<BlockCells>& blocks) const {
        for (std::size_t feature = begin; feature < end; ++feature) {
            if (layout_.has_missing_cell[feature] != 0) {
                List(feature, layout_.cuts.num_bins(feature), row_in_block, blocks);
            }
        }
    }

    const FeatureRows& rows_;
    const BinLayout& layout_;
    std::vector<BinnedColumn>& columns_;
    const bool with_tiles_;
    bool any_missing_cell_ = false;
    std::vector<BinFinder> finders_;
    std::vector<Target> targets_;
    std::vector<std::uint32_t> tile_of_feature_;
};

BinnedTile JoinBlocks(const std::vector<std::vector<BlockCells>>& blocks, std::size_t tile,
                      const BinLayout::Tile& layout_tile, std::size_t num_rows) {
    BinnedTile joined;
    std::size_t num_cells = 0;
    for (const auto& block : blocks) num_cells += block[tile].cells.size();
    CHECK(num_cells <= std::numeric_limits<std::uint32_t>::max(), "{} listed cells in one tile", num_cells);
    const bool dense = layout_tile.kind == BinLayout::TileKind::kDense16;
    if (dense) {
        joined.cells_per_row = layout_tile.feature_end - layout_tile.feature_begin;
        CHECK(num_cells == num_rows * joined.cells_per_row);
    } else {
        joined.row_offsets.reserve(num_rows + 1);
        joined.row_offsets.push_back(0);
        for (const auto& block : blocks) {
            for (const std::uint32_t num : block[tile].num_in_row) {
                joined.row_offsets.push_back(joined.row_offsets.back() + num);
            }
        }
    }
    if (layout_tile.kind == BinLayout::TileKind::kSparse32) {
        joined.cells32.reserve(num_cells);
        for (const auto& block : blocks) {
            joined.cells32.insert(joined.cells32.end(), block[tile].cells.begin(), block[tile].cells.end());
        }
    } else {
        joined.cells16.reserve(num_cells);
        for (const auto& block : blocks) {
            for (const std::uint32_t cell : block[tile].cells)
                joined.cells16.push_back(static_cast<std::uint16_t>(cell));
        }
    }
    return joined;
}

}  // namespace

BinnedMatrix BinnedMatrix::Create(const FeatureRows& rows, const BinLayout& layout, Use use, WorkerTeam& team) {
    CHECK(rows.num_features <= layout.num_features(), "{} features, the layout has {}", rows.num_features,
          layout.num_features());
    CHECK(rows.num_rows() < std::numeric_limits<std::uint32_t>::max());
    BinnedMatrix matrix;
    matrix.num_rows_ = rows.num_rows();
    const std::size_t num_features = layout.num_features();
    const std::vector<FeatureRange> ranges = FindRanges(rows, num_features, team);
    matrix.columns_.resize(num_features);
    team.ForEach(num_features, [&](std::size_t feature, int) {
        matrix.columns_[feature] = MakeColumn(ranges[feature], layout.cuts, feature, rows.num_rows());
    });
    const Builder builder(rows, layout, matrix.columns_, use == Use::kTraining);
    const std::size_t num_tiles = use == Use::kTraining ? layout.tiles.size() : 0;
    std::vector<std::vector<BlockCells>> blocks((rows.num_rows() + kBlockRows - 1) / kBlockRows,
                                                std::vector<BlockCells>(num_tiles));
    team.ForBlocks(rows.num_rows(), kBlockRows, [&](std::size_t begin, std::size_t end, int) {
        builder.FillBlock(begin, end, blocks[begin / kBlockRows]);
    });
    const bool any_sparse = std::any_of(matrix.columns_.begin(), matrix.columns_.end(),
                                        [](const BinnedColumn& column) { return column.sparse; });
    if (any_sparse) {
        const std::size_t num_parts = static_cast<std::size_t>(team.num_threads()) * 2;
        team.ForBlocks(num_features, (num_features + num_parts - 1) / num_parts,
                       [&](std::size_t begin, std::size_t end, int) { builder.FillSparseColumns(begin, end); });
    }
    matrix.tiles_.resize(num_tiles);
    team.ForEach(num_tiles, [&](std::size_t tile, int) {
        matrix.tiles_[tile] = JoinBlocks(blocks, tile, layout.tiles[tile], rows.num_rows());
    });
    return matrix;
}

std::size_t BinnedMatrix::memory_bytes() const {
    std::size_t bytes = 0;
    for (const BinnedColumn& column : columns_) {
        bytes +=
            column.codes8.size() + 2 * column.codes16.size() + 4 * column.rows.size() + 2 * column.sparse_codes.size();
    }
    for (const BinnedTile& tile : tiles_) {
        bytes += 4 * tile.row_offsets.size() + 2 * tile.cells16.size() + 4 * tile.cells32.size();
    }
    return bytes;
}

std::vector<ValueSummary> SummarizeValues(const FeatureRows& rows, std::span<const std::int64_t> weight_units,
                                          std::size_t num_features, WorkerTeam& team) {
    CHECK(rows.num_features <= num_features);
    const auto num_workers = static_cast<std::size_t>(team.num_threads());
    std::vector<std::vector<ValueCollector>> of_worker(num_workers, std::vector<ValueCollector>(num_features));
    team.ForBlocks(rows.num_rows(), kBlockRows, [&](std::size_t begin, std::size_t end, int worker) {
        ValueCollector* collectors = of_worker[static_cast<std::size_t>(worker)].data();
        for (std::size_t row = begin; row < end; ++row) {
            const std::int64_t weight = weight_units.empty() ? 1 : weight_units[row];
            for (std::uint64_t e = rows.row_offsets[row]; e < rows.row_offsets[row + 1]; ++e) {
                collectors[rows.feature_idx[e]].Add(rows.values[e], weight);
            }
        }
    });
    std::vector<ValueSummary> summaries(num_features);
    team.ForEach(num_features, [&](std::size_t feature, int) {
        for (auto& collectors : of_worker) summaries[feature].Merge(collectors[feature].Take());
    });
    return summaries;
}

}  // namespace espalier::data
