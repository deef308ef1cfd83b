// Latencies counted by size, for percentiles: microseconds in buckets at most 3 % wide.
//
// Below 64 us every value has its bucket; above, each doubling is cut into 32. A count costs one relaxed addition and
// two comparisons, so that it can stand on the invoke path. Source: the layout of HdrHistogram. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/distribution.h"

namespace espalier::hosting {

/// Latencies since the start of the server, counted below a few limits: what a Prometheus histogram is.
struct LatencyLadder {
    static constexpr std::array<std::uint64_t, 12> kLimitsUs = {
        50, 100, 250, 500, 1'000, 2'500, 10'000, 50'000, 250'000, 1'000'000, 10'000'000, 60'000'000};
    std::array<std::uint64_t, kLimitsUs.size()> below{};  ///< at most the limit, those of lower limits included
    std::uint64_t count = 0;
    std::uint64_t sum_us = 0;
};

class LatencyCounts {
  public:
    /// Longer ones count as this: half an hour.
    static constexpr std::uint64_t kMicrosMax = (std::uint64_t{1} << 31) - 1;

    void Record(std::uint64_t micros);
    /// What was recorded since the last Take. Of a latency that is being recorded meanwhile the count may come with the
    /// next one, the sum with this.
    Distribution Take();
    /// What all calls of Take together have given. For the thread that takes.
    const LatencyLadder& ladder() const { return ladder_; }

  private:
    static constexpr std::size_t kFineBits = 5;
    static constexpr std::size_t kBuckets = 64 + (31 - 6) * 32;
    static std::size_t BucketOf(std::uint64_t micros);
    static double MiddleOf(std::size_t bucket);

    std::array<std::atomic<std::uint32_t>, kBuckets> counts_{};
    std::atomic<std::uint64_t> sum_{0};
    std::atomic<std::uint64_t> minimum_{UINT64_MAX};
    std::atomic<std::uint64_t> maximum_{0};
    LatencyLadder ladder_;
};

}  // namespace espalier::hosting
