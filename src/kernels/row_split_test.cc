#include "kernels/row_split.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

/// Rows [0, 3 size) with gaps and codes of few values, split in place and beside, against a loop.
template <typename Code>
void CompareWithLoop(std::size_t size, std::mt19937& rng) {
    const std::uint32_t highest = std::min<std::uint32_t>(std::numeric_limits<Code>::max(), 70'000);
    std::vector<std::uint16_t> rows;
    std::vector<Code> codes;
    for (std::size_t i = 0; i < size; ++i) {
        rows.push_back(static_cast<std::uint16_t>(3 * i + rng() % 3 + (i % 2 == 0 ? 0 : 0x8000U)));
        codes.push_back(static_cast<Code>(rng() % 4 == 0 ? highest - rng() % 3 : rng() % 9));
    }
    for (const SplitRoute route : {SplitRoute{4, {highest, highest}}, SplitRoute{0, {highest - 1, highest - 2}},
                                   SplitRoute{highest + 1, {highest, highest}}}) {
        std::vector<std::uint16_t> expected_left;
        std::vector<std::uint16_t> expected_right;
        for (std::size_t i = 0; i < size; ++i) {
            const std::uint32_t code = codes[i];
            const bool goes_left = code < route.num_left || code == route.also_left[0] || code == route.also_left[1];
            (goes_left ? expected_left : expected_right).push_back(rows[i]);
        }
        // Words behind the arrays must stay as they are.
        std::vector<std::uint16_t> left(size + 1, 7);
        std::vector<std::uint16_t> right(size + 1, 7);
        const std::size_t num_left = SplitRows(rows.data(), size, codes.data(), route, left.data(), right.data());
        std::vector<std::uint16_t> in_place = rows;
        in_place.push_back(7);
        SplitRows(in_place.data(), size, codes.data(), route, in_place.data(), right.data());
        ASSERT_EQ(num_left, expected_left.size());
        EXPECT_EQ(left.back(), 7U);
        EXPECT_EQ(right.back(), 7U);
        EXPECT_EQ(in_place.back(), 7U);
        left.resize(num_left);
        in_place.resize(num_left);
        right.resize(size - num_left);
        EXPECT_EQ(left, expected_left);
        EXPECT_EQ(in_place, expected_left);
        EXPECT_EQ(right, expected_right);
    }
}

TEST(RowSplit, IsTheLoopOnEveryInstructionSet) {
    std::mt19937 rng(5);
    for (const std::string& name : SimdNames()) {
        ASSERT_TRUE(LimitSimd(name).has_value());
        for (const std::size_t size : {0U, 1U, 3U, 4U, 7U, 8U, 9U, 15U, 16U, 17U, 63U, 1000U}) {
            CompareWithLoop<std::uint8_t>(size, rng);
            CompareWithLoop<std::uint16_t>(size, rng);
            CompareWithLoop<std::uint32_t>(size, rng);
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

}  // namespace
}  // namespace espalier::kernels
