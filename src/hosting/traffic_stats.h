// What went through one variant: counters that cost the invoke path a few relaxed additions, and their history by the
// minute for CloudWatch.
//
// Steps: Record on each invocation; Tick from a background thread about once a second, which closes the minute when the
// clock has passed it. So an invocation is booked to its minute with a second's accuracy and none is lost.
// Limits: kMinutesKept closed minutes; the history does not survive a restart. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "base/clock.h"

namespace espalier::hosting {

/// Sums over one minute, or since the start.
struct TrafficCounts {
    std::uint64_t invocations = 0;
    std::uint64_t errors_4xx = 0;  ///< answered with a 4xx, the model's own included
    std::uint64_t errors_5xx = 0;
    std::uint64_t model_errors = 0;  ///< the model did not answer with a 2xx
    std::uint64_t latency_us = 0;    ///< sum of the time in the model: decode, predict, encode
    std::uint64_t latency_us_min = 0;
    std::uint64_t latency_us_max = 0;
};

struct TrafficMinute {
    UnixMillis begin = 0;  ///< a whole minute
    TrafficCounts counts;
};

class TrafficStats {
  public:
    static constexpr std::size_t kMinutesKept = 24 * 60;

    /// One invocation that the model answered with `status` after `latency_us`. On the invoke path.
    void Record(int status, std::uint64_t latency_us);
    /// Closes the current minute when `now` is past it.
    void Tick(UnixMillis now);
    /// Minutes with traffic that begin in [begin, end), oldest first, the running one included.
    std::vector<TrafficMinute> Minutes(UnixMillis begin, UnixMillis end) const;
    /// Since the start of the process; minimum and maximum are left 0.
    TrafficCounts Totals() const;

  private:
    struct alignas(64) Counters {
        std::atomic<std::uint64_t> invocations{0};
        std::atomic<std::uint64_t> errors_4xx{0};
        std::atomic<std::uint64_t> errors_5xx{0};
        std::atomic<std::uint64_t> model_errors{0};
        std::atomic<std::uint64_t> latency_us{0};
        std::atomic<std::uint64_t> latency_us_min{UINT64_MAX};
        std::atomic<std::uint64_t> latency_us_max{0};
    };
    Counters counters_;  // min and max belong to the running minute, the others to the whole life
    mutable std::mutex mutex_;
    TrafficCounts closed_;               // guarded by mutex_: totals when the running minute began
    UnixMillis minute_ = 0;              // guarded by mutex_: begin of the running minute, 0 before the first Tick
    std::deque<TrafficMinute> history_;  // guarded by mutex_
};

}  // namespace espalier::hosting
