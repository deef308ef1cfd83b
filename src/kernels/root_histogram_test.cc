#include "kernels/root_histogram.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "kernels/histogram.h"
#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

TEST(RootHistogram, GroupsHoldAllTrees) {
    EXPECT_EQ(TreeGroupWidths(1), (std::vector<std::size_t>{2}));
    EXPECT_EQ(TreeGroupWidths(3), (std::vector<std::size_t>{4}));
    EXPECT_EQ(TreeGroupWidths(8), (std::vector<std::size_t>{8}));
    EXPECT_EQ(TreeGroupWidths(10), (std::vector<std::size_t>{8, 2}));
    EXPECT_EQ(TreeGroupWidths(21), (std::vector<std::size_t>{8, 8, 8}));
}

/// Of so many trees.
class TreePairs {
  public:
    TreePairs(std::size_t num_trees, std::size_t num_rows, std::mt19937& rng) {
        for (std::size_t tree = 0; tree < num_trees; ++tree) {
            std::vector<PackedPair>& pairs = pairs_.emplace_back(num_rows);
            for (PackedPair& pair : pairs) pair = Pack(static_cast<std::int64_t>(rng() % 2000) - 1000, rng() % 1000);
        }
        for (const auto& pairs : pairs_) trees_.push_back(pairs.data());
    }
    std::span<const PackedPair* const> trees() const { return trees_; }

  private:
    std::vector<std::vector<PackedPair>> pairs_;
    std::vector<const PackedPair*> trees_;
};

template <typename Cell>
void CompareWithOneTreeAtATime(std::size_t num_trees, std::size_t num_rows, bool dense, std::mt19937& rng) {
    const std::size_t width = TreeGroupWidths(num_trees)[0];
    constexpr std::size_t kCells = 61;
    constexpr std::size_t kStride = 9;
    std::vector<std::uint32_t> offsets = {0};
    std::vector<Cell> cells;
    std::vector<std::uint16_t> rows;
    for (std::uint32_t row = 0; row < num_rows; ++row) {
        for (std::size_t e = dense ? kStride : rng() % 12; e > 0; --e)
            cells.push_back(static_cast<Cell>(rng() % kCells));
        offsets.push_back(static_cast<std::uint32_t>(cells.size()));
        rows.push_back(static_cast<std::uint16_t>(row));
    }
    const TreePairs pairs(num_trees, num_rows, rng);
    std::vector<PackedPair> sums(kCells * width, 0);
    AddRowsOfGroup(width, pairs.trees(), num_rows, dense ? nullptr : offsets.data(), kStride, cells.data(),
                   sums.data());
    for (std::size_t tree = 0; tree < width; ++tree) {
        std::vector<PackedPair> expected(kCells, 0);
        if (tree < num_trees) {
            AddRows(rows, offsets.data(), cells.data(), pairs.trees()[tree], expected.data());
        }
        for (std::size_t cell = 0; cell < kCells; ++cell) ASSERT_EQ(sums[cell * width + tree], expected[cell]);
    }
}

void CompareBytesWithOneTreeAtATime(std::size_t num_trees, std::size_t num_rows, std::mt19937& rng) {
    const std::size_t width = TreeGroupWidths(num_trees)[0];
    constexpr std::size_t kFeatures = 5;
    constexpr std::size_t kStride = 8;
    std::vector<std::uint8_t> cells(num_rows * kStride);
    for (std::uint8_t& cell : cells) cell = static_cast<std::uint8_t>(rng());
    const TreePairs pairs(num_trees, num_rows, rng);
    std::vector<std::uint16_t> rows(num_rows);
    std::iota(rows.begin(), rows.end(), std::uint16_t{0});
    std::vector<PackedPair> sums(kFeatures * 256 * width, 0);
    AddByteRowsOfGroup(width, pairs.trees(), num_rows, kFeatures, kStride, cells.data(), sums.data());
    for (std::size_t tree = 0; tree < width; ++tree) {
        std::vector<PackedPair> expected(kFeatures * 256, 0);
        if (tree < num_trees) {
            AddByteRows(rows, kFeatures, kStride, cells.data(), pairs.trees()[tree], expected.data());
        }
        for (std::size_t cell = 0; cell < expected.size(); ++cell) {
            ASSERT_EQ(sums[cell * width + tree], expected[cell]);
        }
    }
}

TEST(RootHistogram, IsTheSumTreeByTreeOnEveryInstructionSet) {
    std::mt19937 rng(23);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (std::size_t num_trees = 1; num_trees <= 8; ++num_trees) {
            for (const std::size_t num_rows : {0U, 1U, 7U, 63U, 64U, 65U, 300U}) {
                CompareWithOneTreeAtATime<std::uint16_t>(num_trees, num_rows, false, rng);
                CompareWithOneTreeAtATime<std::uint16_t>(num_trees, num_rows, true, rng);
                CompareWithOneTreeAtATime<std::uint32_t>(num_trees, num_rows, false, rng);
                CompareBytesWithOneTreeAtATime(num_trees, num_rows, rng);
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

}  // namespace
}  // namespace espalier::kernels
