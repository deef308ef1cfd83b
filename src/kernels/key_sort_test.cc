#include "kernels/key_sort.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

namespace espalier::kernels {
namespace {

TEST(KeySortTest, AgreesWithStableSortAtAwkwardSizesAndRanges) {
    std::mt19937_64 random(11);
    for (const std::size_t size : {0U, 1U, 2U, 2047U, 2048U, 2049U, 70'000U, 262'143U, 262'144U}) {
        for (const std::uint64_t mask : {0ULL, 0x7FFULL, 0x3FF000ULL, 0xFFFFFFFFULL}) {
            std::vector<std::uint32_t> keys(size);
            std::vector<std::uint64_t> pairs(size);
            for (std::size_t i = 0; i < size; ++i) {
                const std::uint64_t key = random() & mask;
                keys[i] = static_cast<std::uint32_t>(key);
                pairs[i] = key << 32 | i;
            }
            std::vector<std::uint32_t> expected_keys = keys;
            std::sort(expected_keys.begin(), expected_keys.end());
            std::vector<std::uint64_t> expected_pairs = pairs;
            std::sort(expected_pairs.begin(), expected_pairs.end());  // i rises, so this is the stable order
            std::vector<std::uint32_t> key_scratch(size);
            std::vector<std::uint64_t> pair_scratch(size);
            SortKeys(keys, key_scratch);
            SortKeys(pairs, pair_scratch);
            EXPECT_EQ(keys, expected_keys) << size;
            EXPECT_EQ(pairs, expected_pairs) << size;
        }
    }
}

TEST(KeySortTest, BitsAreInTheOrderOfFloats) {
    const float values[] = {-std::numeric_limits<float>::max(), -1.5F, -1e-42F, -0.0F, 0.0F, 1e-42F, 0.25F, 3e38F};
    for (std::size_t i = 0; i < std::size(values); ++i) {
        EXPECT_EQ(FromOrderedBits(OrderedBits(values[i])), values[i]);
        if (i == 0) continue;
        EXPECT_LT(OrderedBits(values[i - 1]), OrderedBits(values[i]));
    }
}

}  // namespace
}  // namespace espalier::kernels
