#include "learn/row_partition.h"

#include <gtest/gtest.h>

#include <random>

#include "data/value_summaries.h"

namespace espalier::learn {
namespace {

// Three blocks, the last one short.
constexpr std::uint32_t kRows = 2 * kNodeBlockRows + 4'321;
constexpr std::uint32_t kFeatures = 3;

/// Ten values; a few values among rows that have none; the number of the block, so that nodes have none of some.
data::CompactRows MakeRows(std::mt19937& rng) {
    data::FeatureRows rows;
    rows.num_features = kFeatures;
    for (std::uint32_t row = 0; row < kRows; ++row) {
        const float values[kFeatures] = {static_cast<float>(rng() % 10), static_cast<float>(rng() % 4),
                                         static_cast<float>(row / kNodeBlockRows)};
        for (std::uint32_t feature = 0; feature < kFeatures; ++feature) {
            if (feature == 1 && rng() % 50 != 0) continue;
            rows.feature_idx.push_back(feature);
            rows.values.push_back(values[feature]);
        }
        rows.row_offsets.push_back(rows.values.size());
    }
    return data::CompactRows::FromRows(rows);
}

/// [rows] a feature's codes, missing ones too.
std::vector<std::uint32_t> CodesOf(const data::BinnedColumn& column) {
    std::vector<std::uint32_t> codes(kRows, column.missing_code());
    column.codes.Visit([&](const auto& listed) {
        for (std::size_t i = 0; i < listed.size(); ++i) codes[column.sparse ? column.rows[i] : i] = listed[i];
    });
    return codes;
}

/// The rows of the node, by all the ways that lead to them.
std::vector<std::uint32_t> ListRows(const NodeRows& node) {
    std::vector<std::uint32_t> rows;
    std::uint32_t next_block = 0;
    node.ForEachRow([&](std::uint32_t row) { rows.push_back(row); });
    for (const RowPiece& piece : node.pieces()) {
        EXPECT_GE(piece.first_row, next_block);
        EXPECT_EQ(piece.first_row % kNodeBlockRows, 0U);
        EXPECT_GT(piece.size, 0U);
        EXPECT_EQ(node.PieceAt(piece.first_row).places, piece.places);
        if (piece.first_row > next_block) {
            EXPECT_EQ(node.PieceAt(next_block).size, 0U);
        }
        next_block = piece.first_row + static_cast<std::uint32_t>(kNodeBlockRows);
    }
    const std::size_t begin = rows.size() / 3;
    const std::size_t end = rows.size() - rows.size() / 4;
    std::vector<std::uint32_t> some;
    node.ForEachPiece(begin, end, [&](const RowPiece& piece) {
        for (const std::uint16_t place : piece.Places()) some.push_back(piece.first_row + place);
    });
    EXPECT_TRUE(std::ranges::equal(some, std::span(rows).subspan(begin, end - begin)));
    EXPECT_EQ(node.size(), rows.size());
    return rows;
}

void ExpectPlaced(const RowPartition& partition, const std::vector<std::uint32_t>& node_of_row) {
    std::vector<std::vector<std::uint32_t>> expected;
    for (std::uint32_t row = 0; row < kRows; ++row) {
        expected.resize(std::max<std::size_t>(expected.size(), node_of_row[row] + 1));
        expected[node_of_row[row]].push_back(row);
    }
    for (std::uint32_t node = 0; node < expected.size(); ++node) {
        if (expected[node].empty()) continue;
        ASSERT_EQ(ListRows(partition.RowsOf(1, node)), expected[node]) << node;
    }
}

const std::vector<std::uint8_t> kEvenLeft = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0};

/// Splits of the root or of some leaves of tree 1, which become the leaves they have then.
std::vector<NodeSplit> SplitSome(std::vector<std::uint32_t>& leaves, std::uint32_t& num_nodes, std::mt19937& rng) {
    std::vector<NodeSplit> splits;
    std::vector<std::uint32_t> after;
    for (const std::uint32_t leaf : leaves) {
        if (leaf != 0 && rng() % 3 == 0) {
            after.push_back(leaf);
            continue;
        }
        const auto feature = static_cast<std::uint32_t>(rng() % kFeatures);
        splits.push_back({.tree = 1,
                          .node = leaf,
                          .left = num_nodes,
                          .right = num_nodes + 1,
                          .feature = feature,
                          .bin = static_cast<std::int32_t>(rng() % 3),
                          .default_left = rng() % 2 == 0,
                          .left_categories = feature == 0 && rng() % 2 == 0 ? kEvenLeft.data() : nullptr});
        after.insert(after.end(), {num_nodes, num_nodes + 1});
        num_nodes += 2;
    }
    leaves = after;
    return splits;
}

void Route(const NodeSplit& split, const data::BinnedMatrix& matrix, std::vector<std::uint32_t>& node_of_row) {
    const std::vector<std::uint32_t> codes = CodesOf(matrix.column(split.feature));
    for (std::uint32_t row = 0; row < kRows; ++row) {
        if (node_of_row[row] != split.node) continue;
        bool goes_left = static_cast<int>(codes[row]) <= split.bin;
        if (split.left_categories != nullptr) goes_left = kEvenLeft[codes[row]] != 0;
        if (codes[row] == matrix.column(split.feature).missing_code()) goes_left = split.default_left;
        node_of_row[row] = goes_left ? split.left : split.right;
    }
}

TEST(RowPartition, SplitsSendEachRowWhereItsCodeSays) {
    std::mt19937 rng(11);
    WorkerTeam one(1);
    const data::CompactRows rows = MakeRows(rng);
    const auto summaries = data::SummarizeValues(rows, {}, kFeatures, one);
    const auto layout =
        data::BinLayout::Create(summaries, data::BuildCutPoints(summaries, 256, one), kRows, one, /*num_shares=*/1);
    const auto matrix = data::BinnedMatrix::Create(rows, layout, data::BinnedMatrix::Use::kTraining, one);
    ASSERT_TRUE(matrix.column(1).sparse && !matrix.column(0).sparse);
    for (const int num_threads : {1, 2}) {
        WorkerTeam team(num_threads);
        RowPartition partition(matrix, /*num_trees=*/2);
        for (int time = 0; time < 2; ++time) {  // Reset takes everything back.
            partition.Reset();
            std::vector<std::uint32_t> node_of_row(kRows, 0);
            std::vector<std::uint32_t> leaves = {0};
            for (std::uint32_t num_nodes = 1; num_nodes < 60;) {
                const std::vector<NodeSplit> splits = SplitSome(leaves, num_nodes, rng);
                for (const NodeSplit& split : splits) Route(split, matrix, node_of_row);
                partition.Split(splits, team);
                ExpectPlaced(partition, node_of_row);
            }
            ASSERT_EQ(partition.RowsOf(0, 0).size(), kRows) << "the other tree is as it was";
        }
    }
}

TEST(RowPartition, RowsArePlacedAndMovedWithTheirLeaves) {
    std::mt19937 rng(12);
    RowPartition partition(kRows, /*num_trees=*/2);
    std::vector<std::uint32_t> node_of_row(kRows);
    for (std::uint32_t row = 0; row < kRows; ++row)
        node_of_row[row] = static_cast<std::uint32_t>(row < kNodeBlockRows ? 3 : rng() % 7);
    partition.Place(1, node_of_row, 9);
    ExpectPlaced(partition, node_of_row);
    EXPECT_EQ(partition.RowsOf(1, 8).size(), 0U);
    const std::vector<std::uint32_t> leaf_of = {1, 1, 0, 2, 4, 2, 3, 99, 99};
    partition.MoveLeaves(1, leaf_of, 5);
    for (std::uint32_t& node : node_of_row) node = leaf_of[node];
    ExpectPlaced(partition, node_of_row);
}

}  // namespace
}  // namespace espalier::learn
