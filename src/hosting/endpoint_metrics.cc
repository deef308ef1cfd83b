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

/// Puts metrics of one variant and moment behind the others; those without values are left out.
class Appender {
  public:
    Appender(const EndpointVariant& which, UnixMillis now, std::vector<monitor::MetricValues>& values)
        : which_(which), now_(now), values_(values) {}

    void Add(std::string_view metric, std::string_view unit, Distribution distribution) {
        if (distribution.empty()) return;
        values_.push_back({.metric = EndpointMetric(which_, metric),
                           .unit = std::string(unit),
                           .time = now_,
                           .values = std::move(distribution)});
    }
    void AddValue(std::string_view metric, std::string_view unit, double value) {
        Distribution one;
        one.Add(value);
        Add(metric, unit, std::move(one));
    }
    void AddCount(std::string_view metric, std::uint64_t count) {
        if (count > 0) AddValue(metric, "Count", static_cast<double>(count));
    }

  private:
    const EndpointVariant& which_;
    const UnixMillis now_;
    std::vector<monitor::MetricValues>& values_;
};

}  // namespace

monitor::MetricName EndpointMetric(const EndpointVariant& which, std::string_view metric) {
    monitor::MetricName name{.scope = which.scope,
                             .name_space = std::string(kEndpointNamespace),
                             .name = std::string(metric),
                             .dimensions = {{"EndpointName", which.endpoint}}};
    if (!which.variant.empty()) name.dimensions["VariantName"] = which.variant;
    return name;
}

void AppendEndpointMetrics(const EndpointVariant& which, const TrafficTaken& taken, UnixMillis now,
                           std::vector<monitor::MetricValues>& values) {
    Appender to(which, now, values);
    const std::uint64_t n = taken.invocations;
    to.Add("Invocation4XXErrors", "None", Share(taken.errors_4xx, n));
    to.Add("Invocation5XXErrors", "None", Share(taken.errors_5xx, n));
    to.Add("ModelLatency", "Microseconds", taken.model_latency_us);
    if (which.is_async) return;
    to.Add("Invocations", "None", Share(n, n));
    Distribution per_instance;
    if (n > 0 && which.num_instances > 0) per_instance.Add(1.0 / which.num_instances, static_cast<double>(n));
    to.Add("InvocationsPerInstance", "None", std::move(per_instance));
    to.Add("InvocationModelErrors", "None", Share(taken.model_errors, n));
    to.Add("OverheadLatency", "Microseconds", taken.overhead_latency_us);
}

void AppendAsyncMetrics(const EndpointVariant& which, const AsyncTaken& taken, UnixMillis now,
                        std::vector<monitor::MetricValues>& values) {
    Appender to(which, now, values);
    to.AddCount("InvocationsProcessed", taken.processed);
    to.AddCount("InvocationFailures", taken.failures);
    to.AddCount("ExpiredRequests", taken.expired);
    to.AddCount("RequestDownloadFailures", taken.download_failures);
    to.AddCount("ResponseUploadFailures", taken.upload_failures);
    to.Add("RequestDownloadLatency", "Microseconds", taken.download_us);
    to.Add("ResponseUploadLatency", "Microseconds", taken.upload_us);
    to.Add("TimeInBacklog", "Milliseconds", taken.backlog_ms);
    to.Add("TotalProcessingTime", "Milliseconds", taken.total_ms);
}

void AppendBacklogMetrics(const EndpointVariant& which, const Backlog& backlog, UnixMillis now,
                          std::vector<monitor::MetricValues>& values) {
    Appender to(which, now, values);
    const auto size = static_cast<double>(backlog.size);
    to.AddValue("ApproximateBacklogSize", "Count", size);
    to.AddValue("ApproximateBacklogSizePerInstance", "Count", size / std::max(which.num_instances, 1));
    to.AddValue("HasBacklogWithoutCapacity", "Count", backlog.size > 0 && which.num_instances == 0 ? 1 : 0);
    const double age = backlog.size > 0 ? static_cast<double>(now - backlog.oldest_at) / 1000.0 : 0.0;
    to.AddValue("ApproximateAgeOfOldestRequest", "Seconds", std::max(age, 0.0));
}

void AppendModelSetMetrics(const EndpointVariant& which, const ModelSetTaken& taken, UnixMillis now,
                           std::vector<monitor::MetricValues>& values) {
    Appender to(which, now, values);
    to.Add("ModelCacheHit", "None", Share(taken.hits, taken.hits + taken.misses));
    to.Add("ModelLoadingWaitTime", "Microseconds", taken.loading_wait_us);
    to.Add("ModelDownloadingTime", "Microseconds", taken.downloading_us);
    to.Add("ModelLoadingTime", "Microseconds", taken.loading_us);
    to.Add("ModelUnloadingTime", "Microseconds", taken.unloading_us);
    to.AddValue("LoadedModelCount", "None", static_cast<double>(taken.num_loaded));
    values.back().metric.name_space = kInstanceNamespace;
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
