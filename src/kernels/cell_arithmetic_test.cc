#include "kernels/cell_arithmetic.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

std::int64_t Draw(std::mt19937_64& rng, PackedPair) {
    return static_cast<std::int64_t>(rng() >> 24);
}
WidePair Draw(std::mt19937_64& rng, WidePair) {
    return {static_cast<std::int64_t>(rng() >> 24), -static_cast<std::int64_t>(rng() >> 24)};
}

template <typename Pair>
void CompareCellByCell(std::size_t size, std::mt19937_64& rng) {
    std::vector<Pair> parent(size);
    std::vector<Pair> child(size);
    for (std::size_t i = 0; i < size; ++i) {
        parent[i] = Draw(rng, Pair{});
        child[i] = Draw(rng, Pair{});
    }
    std::vector<Pair> difference = parent;
    std::vector<Pair> total = parent;
    Pair sum{};
    for (std::size_t i = 0; i < size; ++i) {
        difference[i] -= child[i];
        total[i] += child[i];
        sum += child[i];
    }
    EXPECT_EQ(SumOf(std::span<const Pair>(child)), sum);
    std::vector<Pair> sibling(size);
    Subtract(std::span<const Pair>(parent), std::span<const Pair>(child), sibling.data());
    EXPECT_EQ(sibling, difference);
    std::vector<Pair> added = parent;
    Accumulate(std::span<Pair>(added), std::span<const Pair>(child));
    EXPECT_EQ(added, total);
    Subtract(std::span<const Pair>(parent), std::span<const Pair>(child), parent.data());
    EXPECT_EQ(parent, difference) << "in place";
}

TEST(CellArithmetic, IsThatOfEachCellOnEveryInstructionSet) {
    std::mt19937_64 rng(31);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : {0U, 1U, 3U, 4U, 5U, 8U, 9U, 15U, 16U, 17U, 257U}) {
            CompareCellByCell<PackedPair>(size, rng);
            CompareCellByCell<WidePair>(size, rng);
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

}  // namespace
}  // namespace espalier::kernels
