#include "kernels/tree_octets.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

constexpr std::size_t kColumns = 37;

float WalkOne(const TreeOctets& octets, std::size_t octet, std::size_t lane, const float* row) {
    const std::size_t num_internal = (std::size_t{1} << octets.depth) - 1;
    std::size_t node = 0;
    while (node < num_internal) {
        const std::size_t at = (octet * num_internal + node) * kOctet + lane;
        const float value = row[octets.columns[at] & ~kMissingGoesLeft];
        const bool missing_left = value != value && (octets.columns[at] & kMissingGoesLeft) != 0;
        node = 2 * node + (value < octets.conditions[at] || missing_left ? 1 : 2);
    }
    return octets.leaves[(octet * (num_internal + 1) + node - num_internal) * kOctet + lane];
}

TEST(TreeOctets, EndInTheLeavesOfOneTreeAfterTheOther) {
    std::mt19937 rng(8);
    for (const std::string& name : SimdNames()) {
        ASSERT_TRUE(LimitSimd(name).has_value());
        for (const int depth : {0, 1, 2, 5, 7}) {
            for (const std::size_t num_octets : {0U, 1U, 3U, 4U, 5U, 9U}) {
                const std::size_t num_leaves = std::size_t{1} << depth;
                std::vector<float> conditions;
                std::vector<std::uint32_t> columns;
                std::vector<float> leaves;
                for (std::size_t i = 0; i < num_octets * (num_leaves - 1) * kOctet; ++i) {
                    conditions.push_back(static_cast<float>(rng() % 10));
                    columns.push_back(static_cast<std::uint32_t>(rng() % kColumns) |
                                      (rng() % 2 ? kMissingGoesLeft : 0));
                }
                for (std::size_t i = 0; i < num_octets * num_leaves * kOctet; ++i) {
                    leaves.push_back(static_cast<float>(i) + 0.5F);
                }
                std::vector<float> row;
                for (std::size_t column = 0; column < kColumns; ++column) {
                    row.push_back(rng() % 3 == 0 ? std::numeric_limits<float>::quiet_NaN()
                                                 : static_cast<float>(rng() % 10));
                }
                const TreeOctets octets{depth, num_octets, conditions.data(), columns.data(), leaves.data()};
                std::vector<float> out(num_octets * kOctet + 1, -1.0F);
                WalkOctets(octets, row.data(), out.data());
                EXPECT_EQ(out.back(), -1.0F);
                for (std::size_t i = 0; i < num_octets * kOctet; ++i) {
                    ASSERT_EQ(out[i], WalkOne(octets, i / kOctet, i % kOctet, row.data())) << name << " " << depth;
                }
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

}  // namespace
}  // namespace espalier::kernels
