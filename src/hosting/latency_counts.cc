#include "hosting/latency_counts.h"

#include <algorithm>
#include <bit>
#include <map>

namespace espalier::hosting {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

void RaiseTo(std::atomic<std::uint64_t>& maximum, std::uint64_t value) {
    std::uint64_t seen = maximum.load(kRelaxed);
    while (seen < value && !maximum.compare_exchange_weak(seen, value, kRelaxed)) {
    }
}

void LowerTo(std::atomic<std::uint64_t>& minimum, std::uint64_t value) {
    std::uint64_t seen = minimum.load(kRelaxed);
    while (seen > value && !minimum.compare_exchange_weak(seen, value, kRelaxed)) {
    }
}

}  // namespace

std::size_t LatencyCounts::BucketOf(std::uint64_t micros) {
    if (micros < 64) return micros;
    const auto exponent = static_cast<std::size_t>(std::bit_width(micros)) - 1;  // 6 or more
    const std::size_t fine = (micros >> (exponent - kFineBits)) & 31;
    return 64 + (exponent - 6) * 32 + fine;
}

double LatencyCounts::MiddleOf(std::size_t bucket) {
    if (bucket < 64) return static_cast<double>(bucket);
    const std::size_t exponent = (bucket - 64) / 32 + 6;
    const std::uint64_t width = std::uint64_t{1} << (exponent - kFineBits);
    return static_cast<double>((32 + (bucket - 64) % 32) * width) + static_cast<double>(width - 1) / 2;
}

void LatencyCounts::Record(std::uint64_t micros) {
    micros = std::min(micros, kMicrosMax);
    sum_.fetch_add(micros, kRelaxed);
    LowerTo(minimum_, micros);
    RaiseTo(maximum_, micros);
    counts_[BucketOf(micros)].fetch_add(1, std::memory_order_release);
}

Distribution LatencyCounts::Take() {
    Distribution taken;
    std::map<double, double> values;
    Distribution::Summary summary;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
        if (counts_[bucket].load(kRelaxed) == 0) continue;
        const std::uint32_t count = counts_[bucket].exchange(0, std::memory_order_acquire);
        values[MiddleOf(bucket)] = count;
        summary.count += count;
        ladder_.count += count;
        for (std::size_t i = 0; i < ladder_.below.size(); ++i)
            if (MiddleOf(bucket) <= static_cast<double>(LatencyLadder::kLimitsUs[i])) ladder_.below[i] += count;
    }
    if (values.empty()) return taken;
    summary.sum = static_cast<double>(sum_.exchange(0, kRelaxed));
    ladder_.sum_us += static_cast<std::uint64_t>(summary.sum);
    summary.minimum = static_cast<double>(minimum_.exchange(UINT64_MAX, kRelaxed));
    summary.maximum = static_cast<double>(maximum_.exchange(0, kRelaxed));
    if (summary.minimum > summary.maximum) {
        // The Take before has had the bounds of the latencies that are counted only now.
        summary.minimum = values.begin()->first;
        summary.maximum = values.rbegin()->first;
    }
    taken.AddBuckets(values, summary);
    return taken;
}

}  // namespace espalier::hosting
