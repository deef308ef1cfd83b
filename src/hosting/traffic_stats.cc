#include "hosting/traffic_stats.h"

namespace espalier::hosting {

void TrafficStats::Record(int status, std::uint64_t latency_us) {
    constexpr auto kRelaxed = std::memory_order_relaxed;
    model_latency_.Record(latency_us);
    if (status >= 300) counters_.model_errors.fetch_add(1, kRelaxed);
    if (status >= 400 && status < 500) counters_.errors_4xx.fetch_add(1, kRelaxed);
    if (status >= 500) counters_.errors_5xx.fetch_add(1, kRelaxed);
    counters_.invocations.fetch_add(1, std::memory_order_release);
}

void TrafficStats::RecordRefused() {
    counters_.errors_4xx.fetch_add(1, std::memory_order_relaxed);
    counters_.invocations.fetch_add(1, std::memory_order_release);
}

TrafficTaken TrafficStats::Take() {
    constexpr auto kRelaxed = std::memory_order_relaxed;
    TrafficTaken taken;
    taken.invocations = counters_.invocations.exchange(0, std::memory_order_acquire);
    taken.errors_4xx = counters_.errors_4xx.exchange(0, kRelaxed);
    taken.errors_5xx = counters_.errors_5xx.exchange(0, kRelaxed);
    taken.model_errors = counters_.model_errors.exchange(0, kRelaxed);
    taken.model_latency_us = model_latency_.Take();
    taken.overhead_latency_us = overhead_latency_.Take();
    totals_.invocations += taken.invocations;
    totals_.errors_4xx += taken.errors_4xx;
    totals_.errors_5xx += taken.errors_5xx;
    return taken;
}

}  // namespace espalier::hosting
