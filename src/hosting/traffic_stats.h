// What went through one variant since the last look: counters that cost the invoke path a few relaxed additions.
//
// EndpointService takes them about once a second and books them as CloudWatch's metrics, so a second's traffic is lost
// at most when the process is killed. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/distribution.h"
#include "hosting/latency_counts.h"

namespace espalier::hosting {

struct TrafficTaken {
    std::uint64_t invocations = 0;
    std::uint64_t errors_4xx = 0;  ///< answered with a 4xx, the model's own included
    std::uint64_t errors_5xx = 0;
    std::uint64_t model_errors = 0;    ///< the model did not answer with a 2xx
    Distribution model_latency_us;     ///< decode, predict, encode
    Distribution overhead_latency_us;  ///< from the request's arrival to its answer, without the model's part
};

/// Everything since the start of the server.
struct TrafficTotals {
    std::uint64_t invocations = 0;
    std::uint64_t errors_4xx = 0;
    std::uint64_t errors_5xx = 0;
    LatencyLadder model_latency;
};

class TrafficStats {
  public:
    /// One invocation that the model answered with `status` after `latency_us`. On the invoke path.
    void Record(int status, std::uint64_t latency_us);
    /// One invocation that was refused with a 4xx before a model saw it.
    void RecordRefused();
    /// What the platform added to one invocation.
    void RecordOverhead(std::uint64_t latency_us) { overhead_latency_.Record(latency_us); }
    /// What was recorded since the last Take.
    TrafficTaken Take();
    /// What all calls of Take together have given. For the thread that takes.
    TrafficTotals Totals() const {
        TrafficTotals totals = totals_;
        totals.model_latency = model_latency_.ladder();
        return totals;
    }

  private:
    struct alignas(64) Counters {
        std::atomic<std::uint64_t> invocations{0};
        std::atomic<std::uint64_t> errors_4xx{0};
        std::atomic<std::uint64_t> errors_5xx{0};
        std::atomic<std::uint64_t> model_errors{0};
    };
    Counters counters_;
    LatencyCounts model_latency_;
    LatencyCounts overhead_latency_;
    TrafficTotals totals_;
};

}  // namespace espalier::hosting
