#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "data/binned_matrix.h"

namespace espalier::data {

namespace {

// About so many cells make a tile: their 8 bytes are 256 KiB, which stay in the L2 cache beside the rows streaming
// through. Tiles of a share are even, for every row visits each of them, however little there is to add.
constexpr double kTileCells = 32'768;
// Row offsets and loop starts cost about as much as this many listed cells; below it one wide tile is better.
constexpr double kListedPerRowAndTileMin = 12;
// A cell is looked at in each node of a tree of depth 5 or 6, in the time in which so many listed cells are added up.
constexpr double kListedPerCell = 30;
// A tile is dense when skipping would leave more than this share of the entries.
constexpr double kDenseShare = 0.85;
// Bytes instead of 16 bits halve what is read, but each feature then takes 256 cells; at most so much padding.
constexpr std::uint32_t kBytePadding = 2;
// Cells that 16 bits can number.
constexpr std::uint32_t kCells16 = 65'536;

constexpr std::size_t kBlockFeatures = 4;  // of one task

/// Runs of features that are even parts of features begin … end-1 by `totals`: [features + 1], of the features before.
class EvenParts {
  public:
    EvenParts(std::span<const double> totals, std::size_t begin, std::size_t end, int num_parts)
        : totals_(totals), begin_(begin), end_(end), num_parts_(num_parts) {}

    /// The part that the middle of features first … last-1 lies in.
    int PartOf(std::size_t first, std::size_t last) const {
        const double middle = (totals_[first] + totals_[last]) / 2 - totals_[begin_];
        return std::min(num_parts_ - 1, static_cast<int>(middle / (totals_[end_] - totals_[begin_]) * num_parts_));
    }
    /// The first feature behind `first` that is in another part.
    std::size_t EndOfPart(std::size_t first) const {
        std::size_t next = first + 1;
        while (next < end_ && PartOf(next, next + 1) == PartOf(first, first + 1)) ++next;
        return next;
    }

  private:
    std::span<const double> totals_;
    std::size_t begin_;
    std::size_t end_;
    int num_parts_;
};

/// The kind of a dense tile of features with `num_cells` cells together and `most_cells` at most.
BinLayout::TileKind DenseKind(std::uint32_t num_features, std::uint32_t num_cells, std::uint32_t most_cells) {
    const bool fits = most_cells <= BinLayout::kByteCells;
    if (fits && num_features * BinLayout::kByteCells <= kBytePadding * num_cells) return BinLayout::TileKind::kDense8;
    return BinLayout::TileKind::kDense16;
}

/// Lays out the features of `tile` after those before it, and completes the tile.
void PlaceTile(std::span<const BinLayout::Shape> shapes, bool dense, BinLayout::Tile tile, BinLayout& layout) {
    std::uint32_t num_cells = 0;
    std::uint32_t most_cells = 0;
    for (std::uint32_t feature = tile.feature_begin; feature < tile.feature_end; ++feature) {
        const BinLayout::Shape& shape = shapes[feature];
        const std::int32_t skipped = dense ? BinLayout::kNothingSkipped : shape.most_frequent_bin;
        const bool missing_cell = shape.has_missing && (dense || skipped != BinLayout::kNothingSkipped);
        layout.skipped_bin.push_back(skipped);
        layout.has_missing.push_back(shape.has_missing ? 1 : 0);
        layout.has_missing_cell.push_back(missing_cell ? 1 : 0);
        const std::uint32_t cells = layout.cuts.num_bins(feature) + (missing_cell ? 1 : 0);
        num_cells += cells;
        most_cells = std::max(most_cells, cells);
    }
    tile.kind = dense                   ? DenseKind(tile.num_features(), num_cells, most_cells)
                : num_cells >= kCells16 ? BinLayout::TileKind::kSparse32
                                        : BinLayout::TileKind::kSparse16;
    tile.cell_begin = layout.cell_offsets.back();
    for (std::uint32_t feature = tile.feature_begin; feature < tile.feature_end; ++feature) {
        const std::uint32_t cells = tile.kind == BinLayout::TileKind::kDense8
                                        ? BinLayout::kByteCells
                                        : layout.cuts.num_bins(feature) + layout.has_missing_cell[feature];
        layout.cell_offsets.push_back(layout.cell_offsets.back() + cells);
    }
    if (tile.kind == BinLayout::TileKind::kSparse16) ++layout.cell_offsets.back();
    tile.cell_end = layout.cell_offsets.back();
    layout.tiles.push_back(tile);
}

}  // namespace

BinLayout::Shape BinLayout::ShapeOf(const ValueSummary& summary, std::span<const float> cuts, std::uint64_t num_rows) {
    Shape shape;
    std::vector<std::int64_t> bin_weights(cuts.size(), 0);
    std::int64_t total = 0;
    const std::vector<float>& values = summary.values;
    auto begin = values.begin();  // Values rise, and so do their bins.
    for (std::size_t bin = 0; bin < cuts.size(); ++bin) {
        // The last bin takes all that is left.
        const auto end = bin + 1 < cuts.size() ? std::lower_bound(begin, values.end(), cuts[bin]) : values.end();
        bin_weights[bin] = std::accumulate(summary.weights.begin() + (begin - values.begin()),
                                           summary.weights.begin() + (end - values.begin()), std::int64_t{0});
        total += bin_weights[bin];
        begin = end;
    }
    const auto rows = static_cast<double>(std::max<std::uint64_t>(num_rows, 1));
    const double present = static_cast<double>(summary.num_entries) / rows;
    const auto fullest = std::max_element(bin_weights.begin(), bin_weights.end());
    const double fullest_share = total > 0 ? present * static_cast<double>(*fullest) / static_cast<double>(total) : 0.0;
    shape.has_missing = summary.num_entries < num_rows;
    if (fullest_share > 1 - present) {
        shape.most_frequent_bin = static_cast<std::int32_t>(fullest - bin_weights.begin());
        shape.listed_share = 1 - fullest_share;
    } else {
        shape.listed_share = present;
    }
    return shape;
}

BinLayout BinLayout::Create(std::span<const ValueSummary> summaries, CutPoints cuts, std::uint64_t num_rows,
                            WorkerTeam& team, int num_shares) {
    CHECK(summaries.size() == cuts.num_features());
    std::vector<Shape> shapes(summaries.size());
    team.ForBlocks(shapes.size(), kBlockFeatures, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t f = begin; f < end; ++f) {
            shapes[f] = ShapeOf(summaries[f], {cuts.values.data() + cuts.offsets[f], cuts.num_bins(f)}, num_rows);
        }
    });
    return Create(shapes, std::move(cuts), num_rows, num_shares);
}

BinLayout BinLayout::Create(std::span<const Shape> shapes, CutPoints cuts, std::uint64_t num_rows, int num_shares) {
    CHECK(shapes.size() == cuts.num_features());
    BinLayout layout;
    layout.cuts = std::move(cuts);
    const std::size_t num_features = shapes.size();
    std::vector<double> listed = {0};  // [features + 1], as the next two: per row, in the features before
    std::vector<double> cells = {0};
    std::vector<double> work = {0};
    for (std::size_t feature = 0; feature < num_features; ++feature) {
        const double more = layout.cuts.num_bins(feature) + 1.0;
        listed.push_back(listed.back() + shapes[feature].listed_share);
        cells.push_back(cells.back() + more);
        work.push_back(work.back() + shapes[feature].listed_share * static_cast<double>(num_rows) +
                       kListedPerCell * more);
    }
    const double tiles_of_all = cells.back() / kTileCells;
    const bool cuts_shares = tiles_of_all > 1 && listed.back() / num_shares >= kListedPerRowAndTileMin;
    const bool one_wide_tile = tiles_of_all > 1 && listed.back() / tiles_of_all < kListedPerRowAndTileMin;

    const EvenParts shares(work, 0, num_features, num_shares);
    for (std::size_t share_begin = 0, share_end = 0; share_begin < num_features; share_begin = share_end) {
        share_end = cuts_shares ? shares.EndOfPart(share_begin) : num_features;
        const double num_tiles = one_wide_tile ? 1 : std::round((cells[share_end] - cells[share_begin]) / kTileCells);
        const EvenParts tiles(cells, share_begin, share_end, std::max(1, static_cast<int>(num_tiles)));
        for (std::size_t begin = share_begin, end = 0; begin < share_end; begin = end) {
            end = tiles.EndOfPart(begin);
            const bool dense = !one_wide_tile && cells[end] - cells[begin] <= kCells16 &&
                               listed[end] - listed[begin] > kDenseShare * static_cast<double>(end - begin);
            PlaceTile(shapes, dense,
                      {.feature_begin = static_cast<std::uint32_t>(begin),
                       .feature_end = static_cast<std::uint32_t>(end),
                       .share = shares.PartOf(begin, end)},
                      layout);
        }
    }
    return layout;
}

}  // namespace espalier::data
