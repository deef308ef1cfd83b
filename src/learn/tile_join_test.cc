#include "learn/tile_join.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <thread>

#include "collective/thread_comm.h"
#include "data/value_summaries.h"

namespace espalier::learn {
namespace {

constexpr std::uint32_t kRows = 1200;

using ValueOf = std::function<float(std::uint32_t row, std::uint32_t feature)>;

data::CompactRows MakeRows(std::uint32_t begin, std::uint32_t end, std::uint32_t num_features, const ValueOf& value) {
    data::FeatureRows rows;
    rows.num_features = num_features;
    for (std::uint32_t row = begin; row < end; ++row) {
        for (std::uint32_t feature = 0; feature < num_features; ++feature) {
            rows.feature_idx.push_back(feature);
            rows.values.push_back(value(row, feature));
        }
        rows.row_offsets.push_back(rows.values.size());
    }
    return data::CompactRows::FromRows(rows);
}

/// What each row lists, without padding.
std::vector<std::vector<std::uint32_t>> ListsOf(const data::BinLayout::Tile& layout, const data::BinnedTile& tile) {
    std::vector<std::vector<std::uint32_t>> lists(kRows);
    const bool is_sparse16 = layout.kind == data::BinLayout::TileKind::kSparse16;
    for (std::uint32_t row = 0; row < kRows; ++row) {
        const std::size_t begin = tile.stride > 0 ? std::size_t{row} * tile.stride : tile.row_offsets[row];
        const std::size_t end = tile.stride > 0 ? begin + tile.stride : tile.row_offsets[row + 1];
        for (std::size_t i = begin; i < end; ++i) {
            const std::uint32_t cell = !tile.cells8.empty()    ? tile.cells8[i]
                                       : !tile.cells16.empty() ? tile.cells16[i]
                                                               : tile.cells32[i];
            if (!is_sparse16 || cell != layout.padding()) lists[row].push_back(cell);
        }
    }
    return lists;
}

/// The rows before each of `cuts` are on a rank of their own. Returns the stride of the first tile.
std::uint32_t ExpectJoined(std::uint32_t num_features, const ValueOf& value, const std::vector<std::uint32_t>& cuts,
                           data::BinLayout::TileKind kind, std::size_t num_tiles) {
    WorkerTeam one(1);
    const data::CompactRows all = MakeRows(0, kRows, num_features, value);
    const auto summaries = data::SummarizeValues(all, {}, num_features, one);
    const auto layout = data::BinLayout::Create(summaries, data::BuildCutPoints(summaries, 2048, one), kRows, one,
                                                static_cast<int>(cuts.size()) + 1);
    EXPECT_EQ(layout.tiles.size(), num_tiles);
    EXPECT_EQ(layout.tiles[0].kind, kind);
    const auto whole = data::BinnedMatrix::Create(all, layout, data::BinnedMatrix::Use::kTraining, one);
    const std::size_t num_ranks = cuts.size() + 1;
    std::vector<std::uint32_t> bounds = {0};
    bounds.insert(bounds.end(), cuts.begin(), cuts.end());
    bounds.push_back(kRows);
    std::vector<std::size_t> num_rows;
    for (std::size_t rank = 0; rank < num_ranks; ++rank) num_rows.push_back(bounds[rank + 1] - bounds[rank]);
    std::uint32_t stride = 0;
    auto group = collective::ThreadComm::CreateGroup({.size = static_cast<int>(num_ranks)});
    std::vector<std::jthread> ranks;
    for (std::size_t rank = 0; rank < num_ranks; ++rank) {
        ranks.emplace_back([&, rank] {
            WorkerTeam team(1);
            const auto own = data::BinnedMatrix::Create(MakeRows(bounds[rank], bounds[rank + 1], num_features, value),
                                                        layout, data::BinnedMatrix::Use::kTraining, team);
            const auto joined = JoinTiles(layout, own, num_rows, *group[rank]);
            ASSERT_TRUE(joined.has_value()) << joined.error().ToString();
            for (std::size_t t = 0; t < layout.tiles.size(); ++t) {
                if (layout.tiles[t].share != static_cast<int>(rank)) {
                    EXPECT_TRUE((*joined)[t].row_offsets.empty() && (*joined)[t].stride == 0);
                    continue;
                }
                EXPECT_EQ(ListsOf(layout.tiles[t], (*joined)[t]), ListsOf(layout.tiles[t], whole.tile(t)));
                if (t == 0) stride = (*joined)[t].stride;
            }
        });
    }
    ranks.clear();
    return stride;
}

using Kind = data::BinLayout::TileKind;

TEST(JoinTiles, OfBytes) {
    const auto value = [](std::uint32_t row, std::uint32_t feature) {
        return static_cast<float>((row * 37 + feature * 11) % 200);
    };
    EXPECT_GT(ExpectJoined(5, value, {700}, Kind::kDense8, 1), 0U);
    EXPECT_GT(ExpectJoined(5, value, {0, 1199}, Kind::kDense8, 1), 0U) << "a rank without rows";
}

TEST(JoinTiles, OfSeveralOwners) {
    // 110 columns of up to 1,200 bins each: shares of up to two tiles.
    const auto value = [](std::uint32_t row, std::uint32_t feature) {
        return static_cast<float>((row * (2 * feature + 1)) % 1201);
    };
    EXPECT_GT(ExpectJoined(110, value, {500}, Kind::kDense16, 4), 0U);
    EXPECT_GT(ExpectJoined(110, value, {100, 600}, Kind::kDense16, 3), 0U);
}

TEST(JoinTiles, ListsStayPaddedWhereAllRanksPad) {
    // Two full columns and eight of one-hot: a row lists two or three cells. The first rows' category is skipped.
    const auto one_hot = [](std::uint32_t num_first) {
        return [num_first](std::uint32_t row, std::uint32_t feature) {
            const std::uint32_t category = row < num_first ? 0 : 1 + row % 7;
            return static_cast<float>(feature < 2 ? row % 50 : feature - 2 == category);
        };
    };
    EXPECT_GT(ExpectJoined(10, one_hot(100), {600}, Kind::kSparse16, 1), 0U);
    EXPECT_GT(ExpectJoined(10, one_hot(100), {0}, Kind::kSparse16, 1), 0U) << "a rank without rows";
    const auto mixed = [](std::uint32_t row, std::uint32_t feature) {
        if (row < 600) return static_cast<float>(feature < 2 ? row % 50 : feature - 2 == 1 + row % 7);
        return static_cast<float>(feature < 2 ? row % 50 : (row * 7 + feature * feature) % 11 < row % 9);
    };
    EXPECT_EQ(ExpectJoined(10, mixed, {600}, Kind::kSparse16, 1), 0U) << "one rank pads, the other does not";
}

}  // namespace
}  // namespace espalier::learn
