#include "hosting/traffic_stats.h"

#include <gtest/gtest.h>

namespace espalier::hosting {
namespace {

constexpr UnixMillis kMinute = 60'000;

TEST(TrafficStats, BooksInvocationsToTheirMinutes) {
    TrafficStats stats;
    stats.Tick(10 * kMinute + 5);
    stats.Record(200, 100);
    stats.Record(415, 10);
    stats.Tick(10 * kMinute + 59'000);
    stats.Record(500, 40);
    stats.Tick(11 * kMinute + 100);
    stats.Record(200, 7);

    std::vector<TrafficMinute> minutes = stats.Minutes(0, 100 * kMinute);
    ASSERT_EQ(minutes.size(), 2U);
    EXPECT_EQ(minutes[0].begin, 10 * kMinute);
    EXPECT_EQ(minutes[0].counts.invocations, 3U);
    EXPECT_EQ(minutes[0].counts.errors_4xx, 1U);
    EXPECT_EQ(minutes[0].counts.errors_5xx, 1U);
    EXPECT_EQ(minutes[0].counts.model_errors, 2U);
    EXPECT_EQ(minutes[0].counts.latency_us, 150U);
    EXPECT_EQ(minutes[0].counts.latency_us_min, 10U);
    EXPECT_EQ(minutes[0].counts.latency_us_max, 100U);
    EXPECT_EQ(minutes[1].begin, 11 * kMinute);
    EXPECT_EQ(minutes[1].counts.invocations, 1U);
    EXPECT_EQ(minutes[1].counts.latency_us_max, 7U);
    EXPECT_EQ(stats.Minutes(11 * kMinute, 12 * kMinute).size(), 1U);
    EXPECT_TRUE(stats.Minutes(0, 10 * kMinute).empty());
    EXPECT_EQ(stats.Totals().invocations, 4U);
}

TEST(TrafficStats, QuietMinutesLeaveNothingAndOldOnesGo) {
    TrafficStats stats;
    stats.Tick(kMinute);
    stats.Tick(2 * kMinute);
    EXPECT_TRUE(stats.Minutes(0, 10 * kMinute).empty());
    for (std::size_t i = 0; i < TrafficStats::kMinutesKept + 5; ++i) {
        stats.Record(200, 1);
        stats.Tick(static_cast<UnixMillis>(3 + i) * kMinute);
    }
    EXPECT_EQ(stats.Minutes(0, INT64_MAX).size(), TrafficStats::kMinutesKept);
}

}  // namespace
}  // namespace espalier::hosting
