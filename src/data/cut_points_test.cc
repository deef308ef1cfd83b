#include "data/cut_points.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "data/bin_finder.h"
#include "data/bin_plan.h"
#include "data/binned_matrix.h"
#include "data/value_summaries.h"

namespace espalier::data {
namespace {

ValueSummary SummaryOf(const std::vector<float>& values) {
    std::map<float, std::int64_t> counts;
    for (const float value : values) ++counts[value];
    ValueSummary summary;
    summary.num_entries = values.size();
    for (const auto& [value, count] : counts) {
        summary.values.push_back(value);
        summary.weights.push_back(count);
    }
    return summary;
}

CutPoints CutsOf(const std::vector<float>& values, int max_bin) {
    const std::vector<ValueSummary> summaries = {SummaryOf(values)};
    WorkerTeam team(1);
    return BuildCutPoints(summaries, max_bin, team);
}

// The expected cuts were read from xgboost 3.2.0's QuantileDMatrix.get_quantile_cut (contracts/xgboost.md 4.5).
TEST(CutPoints, FewDistinctValuesGiveStocksCuts) {
    const CutPoints cuts = CutsOf({1, 2, 2, 3, 5, 8}, 256);
    EXPECT_EQ(cuts.values, (std::vector<float>{2, 3, 5, 8, 16.00001F}));
    EXPECT_FLOAT_EQ(cuts.min_values[0], -1e-5F);
}

TEST(CutPoints, ManyDistinctValuesArePrunedAsStockDoes) {
    std::vector<float> values(20);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    EXPECT_EQ(CutsOf(values, 4).values, (std::vector<float>{5, 10, 14, 38.00001F}));
}

TEST(CutPoints, AFeatureWithoutValuesHasOneBin) {
    const CutPoints cuts = CutsOf({}, 256);
    EXPECT_EQ(cuts.num_bins(0), 1U);
    EXPECT_FLOAT_EQ(cuts.min_values[0], 1e-5F);
}

TEST(CutPoints, NegativeZeroIsZero) {
    EXPECT_EQ(SummaryOf({-0.0F, 0.0F, 1.0F}).values, (std::vector<float>{0.0F, 1.0F}));
}

TEST(CutPoints, TheSummaryDoesNotDependOnOrderOrSharding) {
    std::mt19937 rng(7);
    std::vector<float> values;
    for (int i = 0; i < 100'000; ++i) values.push_back(std::floor(static_cast<float>(rng()) / 65536.0F));
    const ValueSummary whole = SummaryOf(values);
    ValueSummary merged = SummaryOf({values.begin(), values.begin() + 999});
    merged.Merge(SummaryOf({values.begin() + 999, values.end()}));
    EXPECT_EQ(whole.values, merged.values);
    EXPECT_EQ(whole.weights, merged.weights);
    EXPECT_EQ(whole.num_entries, merged.num_entries);
    EXPECT_TRUE(std::is_sorted(whole.values.begin(), whole.values.end()));
}

/// Counts how often each cell is listed in one tile.
void CountListed(const BinLayout::Tile& layout_tile, const BinnedTile& tile, std::size_t num_rows,
                 std::vector<std::uint32_t>& histogram) {
    for (const auto cell : tile.cells16) ++histogram[layout_tile.cell_begin + cell];
    for (const auto cell : tile.cells32) ++histogram[layout_tile.cell_begin + cell];
    if (tile.cells8.empty()) return;
    for (std::size_t row = 0; row < num_rows; ++row) {
        for (std::uint32_t k = 0; k < layout_tile.num_features(); ++k) {
            ++histogram[layout_tile.cell_begin + k * BinLayout::kByteCells + tile.cells8[row * tile.stride + k]];
        }
    }
}

TEST(BinnedMatrix, TilesAreOfTheNarrowestKind) {
    std::mt19937 rng(9);
    WorkerTeam team(2);
    const auto kind_of = [&](std::uint32_t num_features, std::uint32_t num_values, int max_bin, bool with_gap) {
        FeatureRows rows;
        rows.num_features = num_features;
        const std::uint32_t num_rows = num_values + 70;
        for (std::uint32_t row = 0; row < num_rows; ++row) {
            for (std::uint32_t feature = 0; feature < num_features; ++feature) {
                if (with_gap && row % 64 == 63) continue;
                rows.feature_idx.push_back(feature);
                rows.values.push_back(static_cast<float>(row < num_values ? row : rng() % num_values));
            }
            rows.row_offsets.push_back(rows.values.size());
        }
        const auto summaries = SummarizeValues(CompactRows::FromRows(rows), {}, num_features, team);
        const auto layout = BinLayout::Create(summaries, BuildCutPoints(summaries, max_bin, team), num_rows, team);
        const auto matrix =
            BinnedMatrix::Create(CompactRows::FromRows(rows), layout, BinnedMatrix::Use::kTraining, team);
        std::vector<std::uint32_t> histogram(layout.num_cells(), 0);
        CountListed(layout.tiles[0], matrix.tile(0), num_rows, histogram);
        std::uint64_t num_listed = 0;
        for (const std::uint32_t count : histogram) num_listed += count;
        if (layout.tiles[0].is_dense()) {
            EXPECT_EQ(num_listed, std::uint64_t{num_rows} * num_features);
        }
        EXPECT_EQ(layout.tiles.size(), 1U);
        return layout.tiles[0].kind;
    };
    using Kind = BinLayout::TileKind;
    EXPECT_EQ(kind_of(3, 256, 256, false), Kind::kDense8);
    EXPECT_EQ(kind_of(3, 200, 256, true), Kind::kDense8);
    EXPECT_EQ(kind_of(3, 64, 256, false), Kind::kDense16) << "four times the cells would be padding";
    EXPECT_EQ(kind_of(3, 300, 2400, true), Kind::kDense16) << "300 bins do not fit a byte";
    EXPECT_EQ(kind_of(13, 2400, 2400, false), Kind::kDense16);
    EXPECT_EQ(kind_of(1, 60'000, kMaxBinLimit, true), Kind::kSparse16);
    EXPECT_EQ(kind_of(1, 65'535, kMaxBinLimit, false), Kind::kSparse16) << "65,535 bins and the padding";
    EXPECT_EQ(kind_of(1, 65'536, kMaxBinLimit, false), Kind::kSparse32);
    EXPECT_EQ(kind_of(1, 70'000, kMaxBinLimit, true), Kind::kSparse32);
}

TEST(BinLayout, SharesAreOfEvenWork) {
    // The later a feature, the more rows list it; each has 500 cells.
    const std::size_t num_features = 200;
    constexpr std::uint64_t kRows = 100'000;
    const auto make = [&](int num_shares, std::uint32_t num_bins) {
        CutPoints cuts;
        std::vector<BinLayout::Shape> shapes;
        for (std::size_t feature = 0; feature < num_features; ++feature) {
            shapes.push_back({.has_missing = true, .listed_share = static_cast<double>(feature) / num_features});
            for (std::uint32_t bin = 0; bin < num_bins; ++bin) cuts.values.push_back(static_cast<float>(bin));
            cuts.min_values.push_back(-1);
            cuts.offsets.push_back(static_cast<std::uint32_t>(cuts.values.size()));
        }
        return BinLayout::Create(shapes, std::move(cuts), kRows, num_shares);
    };
    const auto shares_of = [](const BinLayout& layout) {
        std::vector<int> shares;
        for (const auto& tile : layout.tiles) shares.push_back(tile.share);
        return shares;
    };
    for (const int num_shares : {2, 3, 7}) {
        const BinLayout layout = make(num_shares, 499);
        std::vector<double> listed(static_cast<std::size_t>(num_shares), 0);
        for (const auto& tile : layout.tiles) {
            for (std::uint32_t f = tile.feature_begin; f < tile.feature_end; ++f) {
                listed[static_cast<std::size_t>(tile.share)] += f * double{kRows} / num_features + 30 * 500;
            }
        }
        const std::vector<int> shares = shares_of(layout);
        EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
        const auto [least, most] = std::minmax_element(listed.begin(), listed.end());
        EXPECT_LT(*most - *least, 2 * (kRows + 30 * 500)) << num_shares << " shares differ by a feature at each end";
    }
    const BinLayout whole = make(1, 499);
    EXPECT_EQ(shares_of(whole), (std::vector<int>{0, 0, 0})) << "tiles of about 32,768 cells, with the padding";
    for (const auto& tile : whole.tiles) EXPECT_NEAR(tile.num_cells(), 100'000 / 3.0, 501) << "no small one at the end";
    EXPECT_EQ(shares_of(make(2, 99)), std::vector<int>{1}) << "what fits into one tile is not cut";
}

TEST(BinnedMatrix, ListsOfAboutOneLengthArePadded) {
    // Two full columns and eight of one-hot: a row lists two or three cells, by its category.
    WorkerTeam team(2);
    const auto stride_of = [&](std::uint32_t num_first) {
        FeatureRows rows;
        rows.num_features = 10;
        for (std::uint32_t row = 0; row < 1000; ++row) {
            const std::uint32_t category = row < num_first ? 0 : 1 + row % 7;
            for (std::uint32_t feature = 0; feature < 10; ++feature) {
                rows.feature_idx.push_back(feature);
                rows.values.push_back(static_cast<float>(feature < 2 ? row % 50 : feature - 2 == category));
            }
            rows.row_offsets.push_back(rows.values.size());
        }
        const CompactRows compact = CompactRows::FromRows(rows);
        const auto summaries = SummarizeValues(compact, {}, 10, team);
        const auto layout = BinLayout::Create(summaries, BuildCutPoints(summaries, 256, team), 1000, team);
        const auto matrix = BinnedMatrix::Create(compact, layout, BinnedMatrix::Use::kTraining, team);
        EXPECT_EQ(layout.tiles[0].kind, BinLayout::TileKind::kSparse16);
        std::vector<std::uint32_t> histogram(layout.num_cells(), 0);
        CountListed(layout.tiles[0], matrix.tile(0), 1000, histogram);
        const bool is_padded = matrix.tile(0).stride > 0;
        EXPECT_EQ(matrix.tile(0).row_offsets.empty(), is_padded);
        EXPECT_EQ(histogram.back() > 0, is_padded) << "the most frequent of 50 values is not listed";
        return matrix.tile(0).stride;
    };
    EXPECT_EQ(stride_of(100), 3U);
    EXPECT_EQ(stride_of(900), 0U) << "a third would be padding";
}

TEST(BinnedMatrix, CodesAreTheBinsOfTheCuts) {
    std::mt19937 rng(3);
    FeatureRows rows;
    rows.num_features = 5;
    for (int row = 0; row < 3000; ++row) {
        for (std::uint32_t feature = 0; feature < 5; ++feature) {
            if (feature == 3 && row % 20 != 0) continue;   // A sparse column.
            if (feature == 4 && rng() % 3 == 0) continue;  // Some missing.
            float value = static_cast<float>(rng() % 1000) * 0.37F - 100.0F;
            if (feature == 1 && rng() % 4 != 0) value = 0;  // Mostly an explicit zero.
            if (feature == 2) value = std::exp(value * 0.05F);
            rows.feature_idx.push_back(feature);
            rows.values.push_back(value);
        }
        rows.row_offsets.push_back(rows.values.size());
    }
    const CompactRows compact = CompactRows::FromRows(rows);
    for (const int max_bin : {4, 256, 400}) {
        std::vector<std::vector<std::uint32_t>> listed_of_run;
        for (const int threads : {1, 3}) {
            WorkerTeam team(threads);
            const auto summaries = SummarizeValues(compact, {}, 5, team);
            const BinLayout layout =
                BinLayout::Create(summaries, BuildCutPoints(summaries, max_bin, team), rows.num_rows(), team);
            const auto matrix = BinnedMatrix::Create(compact, layout, BinnedMatrix::Use::kTraining, team);
            std::vector<std::uint32_t> histogram(layout.num_cells(), 0);
            for (std::size_t tile = 0; tile < layout.tiles.size(); ++tile) {
                CountListed(layout.tiles[tile], matrix.tile(tile), rows.num_rows(), histogram);
            }
            listed_of_run.push_back(histogram);
            std::vector<std::uint32_t> expected(layout.num_cells(), 0);
            for (std::size_t row = 0; row < rows.num_rows(); ++row) {
                std::vector<std::uint32_t> codes(5);
                for (std::size_t f = 0; f < 5; ++f) codes[f] = matrix.column(f).missing_code();
                for (auto e = rows.row_offsets[row]; e < rows.row_offsets[row + 1]; ++e) {
                    codes[rows.feature_idx[e]] = layout.cuts.BinOf(rows.feature_idx[e], rows.values[e]);
                }
                for (std::size_t f = 0; f < 5; ++f) {
                    const BinnedColumn& column = matrix.column(f);
                    if (!column.sparse) {
                        ASSERT_EQ(column.codes[row], codes[f]) << f;
                    }
                    const bool missing = codes[f] == column.missing_code();
                    const bool is_listed = missing ? layout.has_missing_cell[f] != 0
                                                   : static_cast<std::int32_t>(codes[f]) != layout.skipped_bin[f];
                    if (is_listed) ++expected[layout.cell_offsets[f] + codes[f]];
                }
            }
            EXPECT_EQ(histogram, expected);
            EXPECT_TRUE(matrix.column(3).sparse);
            EXPECT_EQ(matrix.column(3).rows.size(), 150U);
        }
        EXPECT_EQ(listed_of_run[0], listed_of_run[1]);
    }
}

// Nearly full rows of floats stand column by column, and are binned so.
TEST(BinnedMatrix, ColumnsAreBinnedAsTheCutsSay) {
    std::mt19937 rng(5);
    std::normal_distribution<float> normal;
    const auto make = [&](std::size_t num_rows, float scale) {
        FeatureRows rows;
        rows.num_features = 6;
        for (std::size_t row = 0; row < num_rows; ++row) {
            for (std::uint32_t feature = 0; feature < 6; ++feature) {
                if (feature == 1 && rng() % 9 == 0) continue;
                float value = normal(rng) * scale;
                if (feature == 2 && rng() % 7 == 0) value = 0;
                if (feature == 3) value = std::exp(9 * value);                // Nearly all in one bucket.
                if (feature == 4) value = 1 + std::ldexp(value, -20);         // Few floats lie between.
                if (feature == 5) value = static_cast<float>(rng() % 3) - 1;  // Few values, 0 among them.
                rows.feature_idx.push_back(feature);
                rows.values.push_back(value);
            }
            rows.row_offsets.push_back(rows.values.size());
        }
        return rows;
    };
    const FeatureRows train = make(3000, 1);
    const CompactRows compact = CompactRows::FromRows(train);
    ASSERT_TRUE(compact.has_columns(0));
    const FeatureRows back = Expand(compact);
    EXPECT_EQ(back.values, train.values);
    EXPECT_EQ(back.feature_idx, train.feature_idx);
    const FeatureRows other = make(700, 1.3F);  // Values outside all bins too.
    for (const int max_bin : {2, 64, 256, 2000}) {
        WorkerTeam team(2);
        const BinLayout layout = PlanBins(compact, {}, 6, max_bin, team);
        const auto summaries = SummarizeValues(compact, {}, 6, team);
        EXPECT_EQ(layout.cuts, BuildCutPoints(summaries, max_bin, team));
        for (const FeatureRows* rows : {&train, &other}) {
            const bool is_train = rows == &train;
            const auto use = is_train ? BinnedMatrix::Use::kTraining : BinnedMatrix::Use::kEvaluation;
            const auto matrix = BinnedMatrix::Create(CompactRows::FromRows(*rows), layout, use, team);
            for (std::size_t row = 0; row < rows->num_rows(); ++row) {
                std::vector<std::uint32_t> codes(6);
                for (std::size_t f = 0; f < 6; ++f) codes[f] = matrix.column(f).missing_code();
                for (auto e = rows->row_offsets[row]; e < rows->row_offsets[row + 1]; ++e) {
                    const std::uint32_t f = rows->feature_idx[e];
                    codes[f] = BinFinder(layout.cuts, f).CodeOf(rows->values[e]);
                    if (is_train) {
                        ASSERT_EQ(codes[f], layout.cuts.BinOf(f, rows->values[e]));
                    }
                }
                for (std::size_t f = 0; f < 6; ++f) ASSERT_EQ(matrix.column(f).codes[row], codes[f]) << f;
            }
        }
    }
}

}  // namespace
}  // namespace espalier::data
