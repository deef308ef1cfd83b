#include "api/metrics/endpoint_metrics.h"

#include <optional>

namespace espalier::api::metrics {
namespace {

/// A metric that is 1 for `hits` of the minute's requests and 0 for the others.
MetricMinute Share(const hosting::TrafficMinute& minute, std::uint64_t hits) {
    return {.begin = minute.begin,
            .sum = static_cast<double>(hits),
            .minimum = hits == minute.counts.invocations ? 1.0 : 0.0,
            .maximum = hits > 0 ? 1.0 : 0.0,
            .count = static_cast<std::int64_t>(minute.counts.invocations)};
}

std::optional<MetricMinute> ValueOf(const hosting::TrafficMinute& minute, std::string_view metric) {
    const hosting::TrafficCounts& counts = minute.counts;
    if (metric == "Invocations") return Share(minute, counts.invocations);
    if (metric == "Invocation4XXErrors") return Share(minute, counts.errors_4xx);
    if (metric == "Invocation5XXErrors") return Share(minute, counts.errors_5xx);
    if (metric == "InvocationModelErrors") return Share(minute, counts.model_errors);
    if (metric != "ModelLatency") return std::nullopt;
    return MetricMinute{.begin = minute.begin,
                        .sum = static_cast<double>(counts.latency_us),
                        .minimum = static_cast<double>(counts.latency_us_min),
                        .maximum = static_cast<double>(counts.latency_us_max),
                        .count = static_cast<std::int64_t>(counts.invocations)};
}

}  // namespace

std::string_view UnitOfEndpointMetric(std::string_view metric) {
    return metric == "ModelLatency" ? "Microseconds" : "None";
}

std::vector<MetricMinute> EndpointMetric(const hosting::EndpointService& hosting, const meta::Scope& scope,
                                         std::string_view metric, const std::map<std::string, std::string>& dimensions,
                                         UnixMillis begin, UnixMillis end) {
    const auto endpoint = dimensions.find("EndpointName");
    const auto variant = dimensions.find("VariantName");
    if (dimensions.size() != 2 || endpoint == dimensions.end() || variant == dimensions.end()) return {};
    std::vector<MetricMinute> minutes;
    for (const hosting::TrafficMinute& minute : hosting.Traffic(scope, endpoint->second, variant->second, begin, end)) {
        if (std::optional<MetricMinute> value = ValueOf(minute, metric)) minutes.push_back(*value);
    }
    return minutes;
}

}  // namespace espalier::api::metrics
