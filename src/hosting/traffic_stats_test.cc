#include "hosting/traffic_stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace espalier::hosting {
namespace {

TEST(TrafficStats, TakesWhatWasRecordedOnce) {
    TrafficStats stats;
    stats.Record(200, 100);
    stats.Record(415, 10);
    stats.Record(500, 40);
    stats.RecordOverhead(3);
    TrafficTaken taken = stats.Take();
    EXPECT_EQ(taken.invocations, 3U);
    EXPECT_EQ(taken.errors_4xx, 1U);
    EXPECT_EQ(taken.errors_5xx, 1U);
    EXPECT_EQ(taken.model_errors, 2U);
    EXPECT_EQ(taken.model_latency_us.summary().count, 3);
    EXPECT_EQ(taken.model_latency_us.summary().sum, 150);
    EXPECT_EQ(taken.model_latency_us.summary().minimum, 10);
    EXPECT_EQ(taken.model_latency_us.summary().maximum, 100);
    EXPECT_EQ(taken.model_latency_us.Percentile(50), 40);
    EXPECT_EQ(taken.overhead_latency_us.summary().sum, 3);
    EXPECT_EQ(stats.Take().invocations, 0U);
    EXPECT_TRUE(stats.Take().model_latency_us.empty());
}

TEST(TrafficStats, PercentilesAreWithinThreePercentOverTheWholeRange) {
    LatencyCounts counts;
    std::vector<std::uint64_t> recorded;
    for (std::uint64_t micros = 1; micros < 1'000'000'000; micros += micros / 7 + 1) {
        recorded.push_back(micros);
        counts.Record(micros);
    }
    const Distribution taken = counts.Take();
    for (std::size_t i = 0; i < recorded.size(); ++i) {
        const double percent = 100.0 * static_cast<double>(i + 1) / static_cast<double>(recorded.size());
        const auto exact = static_cast<double>(recorded[i]);
        EXPECT_NEAR(*taken.Percentile(percent), exact, exact * 0.03) << recorded[i];
    }
    counts.Record(UINT64_MAX);
    EXPECT_EQ(counts.Take().summary().maximum, static_cast<double>(LatencyCounts::kMicrosMax));
}

TEST(TrafficStats, NothingIsLostBetweenThreads) {
    constexpr int kEach = 20'000;
    TrafficStats stats;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < kEach; ++i) stats.Record(200, 5);
        });
    double seen = 0;
    double latencies = 0;
    const auto take = [&] {
        const TrafficTaken taken = stats.Take();
        seen += static_cast<double>(taken.invocations);
        latencies += taken.model_latency_us.summary().count;
    };
    for (int i = 0; i < 100; ++i) take();
    threads.clear();
    take();
    EXPECT_EQ(seen, 4 * kEach);
    EXPECT_EQ(latencies, 4 * kEach);
}

}  // namespace
}  // namespace espalier::hosting
