#include "data/binned_matrix.h"

#include <algorithm>
#include <bit>
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
        for (std::size_t b = 1; b < first_.size(); ++b) first_[b] += first_[b - 1];
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
    std::vector<std::uint32_t> first_;
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
        column.codes = CodeArray(column.above_code());
        column.codes.Reserve(range.num_present);
        return column;
    }
    std::uint32_t highest_code = column.num_bins - 1;
    if (range.num_present < num_rows) highest_code = column.missing_code();
    if (range.num_present > 0 && range.lowest < cuts.min_values[feature]) highest_code = column.below_code();
    if (range.num_present > 0 && range.highest >= cuts.values[cuts.offsets[feature + 1] - 1]) {
        highest_code = column.above_code();
    }
    // Without missing values, every code is written; the fill then may not fit.
    column.codes = CodeArray(highest_code);
    column.codes.Assign(num_rows, std::min(column.missing_code(), highest_code));
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
            targets_.push_back({.codes = column.sparse ? nullptr : column.codes.data(),
                                .code_bytes = column.codes.code_bytes(),
                                .zero_code = finders_.back().zero_code(),
                                .skipped_bin = static_cast<std::uint32_t>(layout.skipped_bin[feature]),
                                .last_bin = column.num_bins - 1});
        }
        tile_of_feature_.resize(layout.num_features());
        for (std::size_t tile = 0; tile < layout.tiles.size(); ++tile) {
            for (std::uint32_t f = layout.tiles[tile].feature_begin; f < layout.tiles[tile].feature_end; ++f) {
                tile_of_feature_[f] = static_cast<std::uint32_t>(tile);
                first_cell_.push_back(layout.tiles[tile].kind == BinLayout::TileKind::kDense8
                                          ? 0
                                          : layout.cell_offsets[f] - layout.tiles[tile].cell_begin);
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
                if (target.codes != nullptr) target.Store(row, code);
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
                const float value = rows_.values[static_cast<std::size_t>(at - rows_.feature_idx.data())];
                column.codes.PushBack(finders_[*at].CodeOf(value));
            }
        }
    }

  private:
    /// What FillBlock needs of a feature, in one place.
    struct Target {
        void* codes;  ///< of code_bytes each; null when the column is sparse
        std::size_t code_bytes;
        std::uint32_t zero_code;
        std::uint32_t skipped_bin;  ///< BinLayout::kNothingSkipped equals no bin
        std::uint32_t last_bin;

        void Store(std::size_t row, std::uint32_t code) const {
            if (code_bytes == 1) {
                static_cast<std::uint8_t*>(codes)[row] = static_cast<std::uint8_t>(code);
            } else if (code_bytes == 2) {
                static_cast<std::uint16_t*>(codes)[row] = static_cast<std::uint16_t>(code);
            } else {
                static_cast<std::uint32_t*>(codes)[row] = code;
            }
        }
    };
    void List(std::size_t feature, std::uint32_t cell, std::size_t row_in_block,
              std::vector<BlockCells>& blocks) const {
        const std::uint32_t tile = tile_of_feature_[feature];
        blocks[tile].cells.push_back(first_cell_[feature] + cell);
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
    std::vector<std::uint32_t> first_cell_;  ///< what a feature's listed cells are counted from
};

/// Bytes from row to row of a dense tile of bytes: a power of two where that costs little, so that rows lie in as few
/// cache lines as they can.
std::uint32_t ByteStride(std::uint32_t num_features) {
    const std::uint32_t power = std::bit_ceil(num_features);
    return power - num_features <= num_features / 4 ? power : num_features;
}

/// The cells of all blocks, row after row, each row beginning `stride` cells after the one before it.
template <typename Cells>
void JoinCells(const std::vector<std::vector<BlockCells>>& blocks, std::size_t tile, std::size_t per_row,
               std::size_t stride, Cells& joined) {
    for (const auto& block : blocks) {
        const std::vector<std::uint32_t>& cells = block[tile].cells;
        for (std::size_t at = 0; at < cells.size(); at += per_row) {
            for (std::size_t i = at; i < std::min(at + per_row, cells.size()); ++i) {
                joined.push_back(static_cast<typename Cells::value_type>(cells[i]));
            }
            if (stride > per_row) joined.resize(joined.size() + stride - per_row);
        }
    }
}

BinnedTile JoinBlocks(const std::vector<std::vector<BlockCells>>& blocks, std::size_t tile,
                      const BinLayout::Tile& layout_tile, std::size_t num_rows) {
    BinnedTile joined;
    std::size_t num_cells = 0;
    for (const auto& block : blocks) num_cells += block[tile].cells.size();
    std::size_t per_row = std::max<std::size_t>(num_cells, 1);  // Sparse: all cells are one long row.
    if (layout_tile.is_dense()) {
        per_row = layout_tile.num_features();
        CHECK(num_cells == num_rows * per_row);
        joined.stride = layout_tile.num_features();
    } else {
        CHECK(num_cells <= std::numeric_limits<std::uint32_t>::max(), "{} listed cells in one tile", num_cells);
        joined.row_offsets.reserve(num_rows + 1);
        joined.row_offsets.push_back(0);
        for (const auto& block : blocks) {
            for (const std::uint32_t num : block[tile].num_in_row) {
                joined.row_offsets.push_back(joined.row_offsets.back() + num);
            }
        }
    }
    switch (layout_tile.kind) {
        case BinLayout::TileKind::kDense8:
            joined.stride = ByteStride(layout_tile.num_features());
            joined.cells8.reserve(num_rows * joined.stride);
            JoinCells(blocks, tile, per_row, joined.stride, joined.cells8);
            break;
        case BinLayout::TileKind::kSparse16:
        case BinLayout::TileKind::kDense16:
            joined.cells16.reserve(num_cells);
            JoinCells(blocks, tile, per_row, per_row, joined.cells16);
            break;
        case BinLayout::TileKind::kSparse32:
            joined.cells32.reserve(num_cells);
            JoinCells(blocks, tile, per_row, per_row, joined.cells32);
            break;
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
        bytes += column.codes.memory_bytes() + 4 * column.rows.size();
    }
    for (const BinnedTile& tile : tiles_) {
        bytes += 4 * tile.row_offsets.size() + tile.cells8.size() + 2 * tile.cells16.size() + 4 * tile.cells32.size();
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
