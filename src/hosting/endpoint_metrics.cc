#include "hosting/endpoint_metrics.h"

#include <algorithm>

namespace espalier::hosting {
namespace {

/// A metric that is 1 for `hits` of the requests and 0 for the others.
Distribution Share(std::uint64_t hits, std::uint64_t requests) {
    Distribution share;
    const std::uint64_t misses = requests - std::min(hits, requests);
    if (misses > 0) share.Add(0, static_cast<double>(misses));
    if (hits > 0) share.Add(1, static_cast<double>(hits));
    return share;
}

}  // namespace

monitor::MetricName EndpointMetric(const EndpointVariant& which, std::string_view metric) {
    return {.scope = which.scope,
            .name_space = std::string(kEndpointNamespace),
            .name = std::string(metric),
            .dimensions = {{"EndpointName", which.endpoint}, {"VariantName", which.variant}}};
}

void AppendEndpointMetrics(const EndpointVariant& which, const TrafficTaken& taken, UnixMillis now,
                           std::vector<monitor::MetricValues>& values) {
    const auto add = [&](std::string_view metric, std::string_view unit, Distribution distribution) {
        if (distribution.empty()) return;
        values.push_back({.metric = EndpointMetric(which, metric),
                          .unit = std::string(unit),
                          .time = now,
                          .values = std::move(distribution)});
    };
    const std::uint64_t n = taken.invocations;
    add("Invocations", "None", Share(n, n));
    Distribution per_instance;
    if (n > 0) per_instance.Add(1.0 / std::max(which.num_instances, 1), static_cast<double>(n));
    add("InvocationsPerInstance", "None", std::move(per_instance));
    add("Invocation4XXErrors", "None", Share(taken.errors_4xx, n));
    add("Invocation5XXErrors", "None", Share(taken.errors_5xx, n));
    add("InvocationModelErrors", "None", Share(taken.model_errors, n));
    add("ModelLatency", "Microseconds", taken.model_latency_us);
    add("OverheadLatency", "Microseconds", taken.overhead_latency_us);
}

void AppendShadowMetrics(const EndpointVariant& which, const ShadowStats::Taken& taken, UnixMillis now,
                         std::vector<monitor::MetricValues>& values) {
    if (taken.requests == 0) return;
    const auto add = [&](std::string_view metric, std::string_view unit, const Distribution& distribution) {
        if (distribution.empty()) return;
        monitor::MetricName name = EndpointMetric(which, metric);
        name.name_space = kComparisonNamespace;
        values.push_back({.metric = std::move(name), .unit = std::string(unit), .time = now, .values = distribution});
    };
    add("ShadowRequests", "None", Share(taken.requests, taken.requests));
    add("ShadowIncomparable", "None", Share(taken.incomparable, taken.requests));
    add("ShadowLabelFlips", "None", taken.label_flips);
    add("ShadowMarginDistance", "None", taken.margin_distance);
    add("ShadowLatencyDifference", "Microseconds", taken.latency_difference_us);
}

}  // namespace espalier::hosting
