#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "data/binned_matrix.h"

namespace espalier::data {

namespace {

// 32,768 cells of 8 bytes are 256 KiB: a tile's histogram stays in the L2 cache beside the rows streaming through.
constexpr std::uint32_t kTileCellsMax = 32'768;
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
    double listed_per_row = 0;
    std::uint64_t num_bins = 0;
    std::vector<double> work = {0};  // of the features before each
    for (std::size_t feature = 0; feature < num_features; ++feature) {
        const std::uint32_t more = layout.cuts.num_bins(feature) + 1;
        listed_per_row += shapes[feature].listed_share;
        num_bins += more;
        work.push_back(work.back() + shapes[feature].listed_share * static_cast<double>(num_rows) +
                       kListedPerCell * more);
    }
    const auto share_of = [&](std::size_t begin, std::size_t end) {
        const double middle = (work[begin] + work[end]) / 2;
        return std::min(num_shares - 1, static_cast<int>(middle / work.back() * num_shares));
    };
    const double num_tiles = static_cast<double>(num_bins) / kTileCellsMax;
    const bool cuts_shares = num_tiles > 1 && listed_per_row / num_shares >= kListedPerRowAndTileMin;
    const bool one_wide_tile = num_tiles > 1 && listed_per_row / num_tiles < kListedPerRowAndTileMin;

    std::size_t begin = 0;
    while (begin < num_features) {
        std::uint32_t cells = 0;
        double listed = 0;
        std::size_t end = begin;
        while (end < num_features) {
            const std::uint32_t more = layout.cuts.num_bins(end) + 1;
            if (end > begin && !one_wide_tile && cells + more > kTileCellsMax) break;
            if (cuts_shares && share_of(begin, begin + 1) != share_of(end, end + 1)) break;
            cells += more;
            listed += shapes[end].listed_share;
            ++end;
        }
        const bool dense =
            !one_wide_tile && cells <= kCells16 && listed > kDenseShare * static_cast<double>(end - begin);
        PlaceTile(shapes, dense,
                  {.feature_begin = static_cast<std::uint32_t>(begin),
                   .feature_end = static_cast<std::uint32_t>(end),
                   .share = share_of(begin, end)},
                  layout);
        begin = end;
    }
    return layout;
}

}  // namespace espalier::data
