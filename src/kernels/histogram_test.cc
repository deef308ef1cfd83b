#include "kernels/histogram.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace espalier::kernels {
namespace {

PackedPair PairOf(std::int64_t g, std::int64_t h, PackedPair) {
    return Pack(g, h);
}
WidePair PairOf(std::int64_t g, std::int64_t h, WidePair) {
    return {g, h};
}

/// Rows with lists of cells, some of the rows, and what adding those up gives.
template <typename Pair>
struct Case {
    std::vector<std::uint16_t> rows;
    std::vector<std::vector<std::uint32_t>> lists;
    std::vector<Pair> pairs;
    std::vector<Pair> expected;

    Case(std::size_t num_rows, std::size_t num_cells, std::size_t num_features, std::mt19937& rng) {
        expected.resize(num_cells);
        const std::size_t cells_per_feature = num_features > 0 ? num_cells / num_features : 0;
        for (std::uint32_t row = 0; row < num_rows; ++row) {
            std::vector<std::uint32_t> list;
            for (std::size_t k = 0; k < num_features; ++k) {
                list.push_back(static_cast<std::uint32_t>(k * cells_per_feature + rng() % cells_per_feature));
            }
            if (num_features == 0) {
                for (std::size_t n = rng() % 11; n > 0; --n)
                    list.push_back(static_cast<std::uint32_t>(rng() % num_cells));
            }
            lists.push_back(list);
            pairs.push_back(PairOf(static_cast<std::int64_t>(rng() % 2001) - 1000, rng() % 1000, Pair{}));
            if (rng() % 3 == 0) continue;
            rows.push_back(static_cast<std::uint16_t>(row));
            for (const std::uint32_t cell : list) expected[cell] += pairs.back();
        }
    }
};

template <typename Pair, typename Cell>
void CompareLists(std::size_t num_rows, std::size_t num_cells, std::mt19937& rng) {
    const Case<Pair> given(num_rows, num_cells, 0, rng);
    std::vector<std::uint32_t> offsets = {0};
    std::vector<Cell> cells;
    for (const auto& list : given.lists) {
        for (const std::uint32_t cell : list) cells.push_back(static_cast<Cell>(cell));
        offsets.push_back(static_cast<std::uint32_t>(cells.size()));
    }
    std::vector<Pair> sums(num_cells);
    AddRows(given.rows, offsets.data(), cells.data(), given.pairs.data(), sums.data());
    EXPECT_EQ(sums, given.expected);
}

template <typename Pair>
void CompareDense(std::size_t num_rows, std::size_t num_features, std::mt19937& rng) {
    const Case<Pair> given(num_rows, num_features * 256, num_features, rng);
    std::vector<std::uint16_t> cells;
    std::vector<std::uint8_t> bytes;
    const std::size_t stride = num_features + num_rows % 4;
    for (const auto& list : given.lists) {
        for (const std::uint32_t cell : list) cells.push_back(static_cast<std::uint16_t>(cell));
        for (const std::uint32_t cell : list) bytes.push_back(static_cast<std::uint8_t>(cell % 256));
        bytes.resize(bytes.size() + stride - num_features, 255);
    }
    std::vector<Pair> sums(num_features * 256);
    AddDenseRows(given.rows, num_features, cells.data(), given.pairs.data(), sums.data());
    EXPECT_EQ(sums, given.expected);
    sums.assign(sums.size(), Pair{});
    AddByteRows(given.rows, num_features, stride, bytes.data(), given.pairs.data(), sums.data());
    EXPECT_EQ(sums, given.expected);
}

TEST(Histogram, SumsAreThoseOfAddingOneByOne) {
    std::mt19937 rng(7);
    for (const std::size_t num_rows : {0U, 1U, 2U, 12U, 13U, 14U, 301U}) {
        CompareLists<PackedPair, std::uint16_t>(num_rows, 300, rng);
        CompareLists<PackedPair, std::uint32_t>(num_rows, 70'000, rng);
        CompareLists<WidePair, std::uint16_t>(num_rows, 300, rng);
        CompareLists<WidePair, std::uint32_t>(num_rows, 70'000, rng);
        for (const std::size_t num_features : {1U, 3U, 4U, 5U, 28U}) {
            CompareDense<PackedPair>(num_rows, num_features, rng);
            CompareDense<WidePair>(num_rows, num_features, rng);
        }
    }
}

}  // namespace
}  // namespace espalier::kernels
