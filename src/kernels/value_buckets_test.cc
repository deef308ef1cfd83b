#include "kernels/value_buckets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "kernels/key_sort.h"
#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

constexpr int kBits = 12;

std::vector<float> Draw(std::size_t size, float center, float scale, unsigned seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(size);
    for (float& value : values) value = center + scale * normal(rng);
    return values;
}

BucketMap MapOf(const std::vector<float>& values) {
    return BucketMap::Of(*std::min_element(values.begin(), values.end()),
                         *std::max_element(values.begin(), values.end()), kBits);
}

TEST(ValueBuckets, RiseWithTheValues) {
    for (const float center : {0.0F, 9.0F, -9.0F}) {
        std::vector<float> values = Draw(5000, center, 1, 1);
        values.push_back(1e-30F);
        if (center == 0) values.push_back(-1e-30F);
        const BucketMap map = MapOf(values);
        std::sort(values.begin(), values.end());
        EXPECT_EQ(map.BucketOf(values.front()), 0U);
        EXPECT_LT(map.BucketOf(values.back()), 1U << kBits);
        EXPECT_GT(map.BucketOf(values.back()), 1U << (kBits - 2));
        for (std::size_t i = 1; i < values.size(); ++i) {
            const std::uint32_t bucket = map.BucketOf(values[i]);
            ASSERT_LE(map.BucketOf(values[i - 1]), bucket);
            if (bucket == 0) continue;
            ASSERT_EQ(map.BucketOf(map.Below(bucket)), bucket - 1);
            ASSERT_LT(map.Below(bucket), values[i]);
        }
    }
}

TEST(ValueBuckets, AreCountedAndCopiedAsOneByOneOnEveryInstructionSet) {
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : {1U, 3U, 7U, 8U, 9U, 16U, 17U, 1000U}) {
            for (const float center : {0.0F, 3.0F, -70.0F}) {
                const std::vector<float> values = Draw(size, center, 1, static_cast<unsigned>(size));
                const BucketMap map = MapOf(values);
                std::vector<std::uint16_t> counts(std::size_t{1} << kBits);
                std::vector<std::uint16_t> expected(counts.size());
                for (const float value : values) ++expected[map.BucketOf(value)];
                CountInBuckets(values, map, counts.data());
                ASSERT_EQ(counts, expected) << level << " " << size << " " << center;
                std::vector<std::uint32_t> chosen(counts.size() / 32);
                for (std::size_t b = 0; b < counts.size(); b += 3) chosen[b / 32] |= 1U << b % 32;
                std::vector<std::uint32_t> wanted;
                for (const float value : values) {
                    if (map.BucketOf(value) % 3 == 0) wanted.push_back(OrderedBits(value));
                }
                std::vector<std::uint32_t> keys(size + 1);
                keys.resize(
                    static_cast<std::size_t>(CopyChosen(values, map, chosen.data(), keys.data()) - keys.data()));
                ASSERT_EQ(keys, wanted) << level << " " << size << " " << center;
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

}  // namespace
}  // namespace espalier::kernels
