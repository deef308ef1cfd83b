#include "hosting/traffic_stats.h"

namespace espalier::hosting {
namespace {

constexpr UnixMillis kMinuteMillis = 60'000;

void RaiseTo(std::atomic<std::uint64_t>& maximum, std::uint64_t value) {
    std::uint64_t seen = maximum.load(std::memory_order_relaxed);
    while (seen < value && !maximum.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
    }
}

void LowerTo(std::atomic<std::uint64_t>& minimum, std::uint64_t value) {
    std::uint64_t seen = minimum.load(std::memory_order_relaxed);
    while (seen > value && !minimum.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
    }
}

TrafficCounts Difference(const TrafficCounts& now, const TrafficCounts& then) {
    return {.invocations = now.invocations - then.invocations,
            .errors_4xx = now.errors_4xx - then.errors_4xx,
            .errors_5xx = now.errors_5xx - then.errors_5xx,
            .model_errors = now.model_errors - then.model_errors,
            .latency_us = now.latency_us - then.latency_us};
}

}  // namespace

void TrafficStats::Record(int status, std::uint64_t latency_us) {
    constexpr auto kRelaxed = std::memory_order_relaxed;
    counters_.latency_us.fetch_add(latency_us, kRelaxed);
    LowerTo(counters_.latency_us_min, latency_us);
    RaiseTo(counters_.latency_us_max, latency_us);
    if (status >= 300) counters_.model_errors.fetch_add(1, kRelaxed);
    if (status >= 400 && status < 500) counters_.errors_4xx.fetch_add(1, kRelaxed);
    if (status >= 500) counters_.errors_5xx.fetch_add(1, kRelaxed);
    counters_.invocations.fetch_add(1, std::memory_order_release);
}

TrafficCounts TrafficStats::Totals() const {
    constexpr auto kRelaxed = std::memory_order_relaxed;
    TrafficCounts totals;
    totals.invocations = counters_.invocations.load(std::memory_order_acquire);
    totals.errors_4xx = counters_.errors_4xx.load(kRelaxed);
    totals.errors_5xx = counters_.errors_5xx.load(kRelaxed);
    totals.model_errors = counters_.model_errors.load(kRelaxed);
    totals.latency_us = counters_.latency_us.load(kRelaxed);
    return totals;
}

void TrafficStats::Tick(UnixMillis now) {
    const UnixMillis minute = now / kMinuteMillis * kMinuteMillis;
    std::lock_guard lock(mutex_);
    if (minute_ == 0) minute_ = minute;
    if (minute <= minute_) return;
    const TrafficCounts totals = Totals();
    TrafficCounts counts = Difference(totals, closed_);
    if (counts.invocations > 0) {
        counts.latency_us_min = counters_.latency_us_min.exchange(UINT64_MAX, std::memory_order_relaxed);
        counts.latency_us_max = counters_.latency_us_max.exchange(0, std::memory_order_relaxed);
        history_.push_back({minute_, counts});
        if (history_.size() > kMinutesKept) history_.pop_front();
    }
    closed_ = totals;
    minute_ = minute;
}

std::vector<TrafficMinute> TrafficStats::Minutes(UnixMillis begin, UnixMillis end) const {
    std::vector<TrafficMinute> minutes;
    std::lock_guard lock(mutex_);
    for (const TrafficMinute& minute : history_)
        if (minute.begin >= begin && minute.begin < end) minutes.push_back(minute);
    TrafficCounts running = Difference(Totals(), closed_);
    if (running.invocations > 0 && minute_ >= begin && minute_ < end) {
        running.latency_us_min = counters_.latency_us_min.load(std::memory_order_relaxed);
        running.latency_us_max = counters_.latency_us_max.load(std::memory_order_relaxed);
        minutes.push_back({minute_, running});
    }
    return minutes;
}

}  // namespace espalier::hosting
