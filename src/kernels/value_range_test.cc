#include "kernels/value_range.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

ValueRange OneByOne(std::span<const float> values) {
    ValueRange range;
    for (const float value : values) {
        if (std::isnan(value)) {
            ++range.num_missing;
            continue;
        }
        range.lowest = std::min(range.lowest, value);
        range.highest = std::max(range.highest, value);
        range.num_zeros += value == 0 ? 1 : 0;
    }
    return range;
}

TEST(ValueRange, IsThatOfEachValueOnEveryInstructionSet) {
    std::mt19937 rng(5);
    std::normal_distribution<float> normal(1);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : {0U, 1U, 3U, 4U, 7U, 8U, 9U, 16U, 31U, 1000U}) {
            for (const unsigned odd : {1U, 2U, 5U, 1000U}) {  // one in so many is 0 or missing
                std::vector<float> values(size);
                for (float& value : values) {
                    value = normal(rng);
                    if (rng() % odd == 0) value = rng() % 2 == 0 ? 0 : std::numeric_limits<float>::quiet_NaN();
                }
                EXPECT_EQ(RangeOf(values), OneByOne(values)) << level << " " << size;
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

}  // namespace
}  // namespace espalier::kernels
