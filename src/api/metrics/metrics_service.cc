#include "api/metrics/metrics_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/metrics/endpoint_metrics.h"

namespace espalier::api::metrics {
namespace {

using nlohmann::json;

constexpr const char* kTrainingNamespace = "/aws/sagemaker/TrainingJobs";
constexpr std::array<std::string_view, 5> kStatistics = {"Average", "Maximum", "Minimum", "SampleCount", "Sum"};
constexpr double kSecondsMax = 253402300799.0;  // the end of year 9999

struct Query {
    std::string name_space;
    std::string metric;
    std::map<std::string, std::string> dimensions;
    std::int64_t start_ms = 0;  ///< rounded down to a period
    std::int64_t end_ms = 0;
    std::int64_t period_ms = 0;
    std::vector<std::string> statistics;
    std::string unit;
};

WireError Missing(std::string_view name) {
    return {.type = "MissingParameter", .message = fmt::format("The parameter {} is required.", name)};
}
WireError Invalid(std::string message) {
    return {.type = "InvalidParameterValue", .message = std::move(message)};
}
WireError BadCombination(std::string message) {
    return {.type = "InvalidParameterCombination", .message = std::move(message)};
}

std::variant<std::string, WireError> RequiredText(const json& request, const char* name) {
    const auto found = request.find(name);
    if (found == request.end() || found->is_null()) return Missing(name);
    if (!found->is_string() || found->get_ref<const std::string&>().empty()) {
        return Invalid(fmt::format("The parameter {} must be a string that is not empty.", name));
    }
    return found->get<std::string>();
}

std::variant<std::int64_t, WireError> RequiredMillis(const json& request, const char* name) {
    const auto found = request.find(name);
    if (found == request.end() || found->is_null()) return Missing(name);
    if (!found->is_number() || std::abs(found->get<double>()) > kSecondsMax) {
        return Invalid(fmt::format("The parameter {} must be a time in epoch seconds.", name));
    }
    return static_cast<std::int64_t>(std::llround(found->get<double>() * 1000.0));
}

std::optional<WireError> ReadDimensions(const json& request, Query& query) {
    const auto found = request.find("Dimensions");
    if (found == request.end() || found->is_null()) return std::nullopt;
    if (!found->is_array()) return Invalid("The parameter Dimensions must be a list.");
    for (const json& dimension : *found) {
        const bool is_pair = dimension.is_object() && dimension.contains("Name") && dimension["Name"].is_string() &&
                             dimension.contains("Value") && dimension["Value"].is_string();
        if (!is_pair) return Invalid("Each of the Dimensions must have a Name and a Value.");
        query.dimensions[dimension["Name"].get<std::string>()] = dimension["Value"].get<std::string>();
    }
    return std::nullopt;
}

std::optional<WireError> ReadStatistics(const json& request, Query& query) {
    const auto found = request.find("Statistics");
    const bool extended = request.contains("ExtendedStatistics") && !request["ExtendedStatistics"].empty();
    if (extended) return Invalid("ExtendedStatistics are not supported. Use Statistics.");
    if (found == request.end() || found->empty()) {
        return BadCombination("At least one of the parameters Statistics and ExtendedStatistics must be specified.");
    }
    if (!found->is_array()) return Invalid("The parameter Statistics must be a list.");
    for (const json& statistic : *found) {
        const bool known = statistic.is_string() && std::find(kStatistics.begin(), kStatistics.end(),
                                                              statistic.get<std::string>()) != kStatistics.end();
        if (!known) {
            return Invalid(fmt::format("The parameter Statistics must be some of {}.", fmt::join(kStatistics, ", ")));
        }
        query.statistics.push_back(statistic.get<std::string>());
    }
    return std::nullopt;
}

std::optional<WireError> ReadWindow(const json& request, Query& query) {
    const auto start = RequiredMillis(request, "StartTime");
    if (const auto* error = std::get_if<WireError>(&start)) return *error;
    const auto end = RequiredMillis(request, "EndTime");
    if (const auto* error = std::get_if<WireError>(&end)) return *error;
    const auto period = request.find("Period");
    if (period == request.end() || period->is_null()) return Missing("Period");
    if (!period->is_number_integer()) return Invalid("The parameter Period must be an integer.");
    const auto seconds = period->get<std::int64_t>();
    const bool regular = seconds == 1 || seconds == 5 || seconds == 10 || seconds == 30 ||
                         (seconds > 0 && seconds <= 86400 && seconds % 60 == 0);
    if (!regular) return Invalid("The parameter Period must be 1, 5, 10, 30 or a multiple of 60, at most 86400.");
    query.period_ms = seconds * 1000;
    query.end_ms = std::get<std::int64_t>(end);
    const std::int64_t start_ms = std::get<std::int64_t>(start);
    if (start_ms >= query.end_ms) return Invalid("The parameter StartTime must be less than the parameter EndTime.");
    std::int64_t remainder = start_ms % query.period_ms;
    if (remainder < 0) remainder += query.period_ms;
    query.start_ms = start_ms - remainder;
    const std::int64_t num_points = (query.end_ms - query.start_ms + query.period_ms - 1) / query.period_ms;
    if (num_points > kDatapointsMax) {
        return BadCombination(
            fmt::format("You have requested up to {} datapoints, which exceeds the limit of {}. You may "
                        "reduce the datapoints requested by increasing Period, or decreasing the time "
                        "range.",
                        num_points, kDatapointsMax));
    }
    return std::nullopt;
}

std::variant<Query, WireError> ReadQuery(const json& request) {
    Query query;
    const auto name_space = RequiredText(request, "Namespace");
    if (const auto* error = std::get_if<WireError>(&name_space)) return *error;
    const auto metric = RequiredText(request, "MetricName");
    if (const auto* error = std::get_if<WireError>(&metric)) return *error;
    query.name_space = std::get<std::string>(name_space);
    query.metric = std::get<std::string>(metric);
    if (const auto error = ReadDimensions(request, query)) return *error;
    if (const auto error = ReadWindow(request, query)) return *error;
    if (const auto error = ReadStatistics(request, query)) return *error;
    const auto unit = request.find("Unit");
    if (unit != request.end() && unit->is_string()) query.unit = unit->get<std::string>();
    return query;
}

struct Bucket {
    double sum = 0;
    double minimum = 0;
    double maximum = 0;
    std::int64_t count = 0;

    void Add(const MetricMinute& values) {
        minimum = count == 0 ? values.minimum : std::min(minimum, values.minimum);
        maximum = count == 0 ? values.maximum : std::max(maximum, values.maximum);
        sum += values.sum;
        count += values.count;
    }
    void Add(double value) {
        Add(MetricMinute{.begin = 0, .sum = value, .minimum = value, .maximum = value, .count = 1});
    }
    double Of(std::string_view statistic) const {
        if (statistic == "Average") return sum / static_cast<double>(count);
        if (statistic == "Maximum") return maximum;
        if (statistic == "Minimum") return minimum;
        if (statistic == "Sum") return sum;
        return static_cast<double>(count);
    }
};

/// The values the query asks for, by the begin of their period. Nothing for a namespace or dimensions of no source.
Result<void> Collect(const Query& query, const meta::Scope& scope, meta::TrainingMetrics& training,
                     const hosting::EndpointService& hosting, std::map<std::int64_t, Bucket>& buckets) {
    auto bucket_at = [&](std::int64_t time) -> Bucket& { return buckets[time - time % query.period_ms]; };
    if (query.name_space == kEndpointNamespace) {
        const std::vector<MetricMinute> minutes =
            EndpointMetric(hosting, scope, query.metric, query.dimensions, query.start_ms, query.end_ms);
        for (const MetricMinute& minute : minutes) bucket_at(minute.begin).Add(minute);
        return {};
    }
    const auto job = query.dimensions.find("TrainingJobName");
    if (query.name_space != kTrainingNamespace || query.dimensions.size() != 1 || job == query.dimensions.end())
        return {};
    const std::vector<meta::MetricPoint> points =
        TRY(training.Points(scope, job->second, query.metric, query.start_ms, query.end_ms));
    for (const meta::MetricPoint& point : points) bucket_at(point.time).Add(point.value);
    return {};
}

}  // namespace

void MetricsService::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string) {
    const auto reply = [&](const Outcome& outcome) { SendOutcome(*exchange, kMetricsProtocol, outcome); };
    const std::string_view operation = OperationOf(exchange->head(), kMetricsProtocol);
    if (operation != "GetMetricStatistics") {
        return reply(Outcome::Fail(
            {.type = "UnknownOperationException",
             .message = fmt::format(
                 "The requested operation is not supported: {}. This server has GetMetricStatistics.", operation)}));
    }
    const auto parsed = ParseJsonBody(exchange->body());
    if (const WireError* error = std::get_if<WireError>(&parsed)) return reply(Outcome::Fail(*error));
    reply(GetMetricStatistics(std::get<json>(parsed), {.account = principal.account_id, .region = principal.region}));
}

Outcome MetricsService::GetMetricStatistics(const json& request, const meta::Scope& scope) {
    const auto read = ReadQuery(request);
    if (const auto* error = std::get_if<WireError>(&read)) return Outcome::Fail(*error);
    const Query& query = std::get<Query>(read);
    const std::string_view unit = query.name_space == kEndpointNamespace ? UnitOfEndpointMetric(query.metric) : "None";
    std::map<std::int64_t, Bucket> buckets;
    if (query.unit.empty() || query.unit == unit) {
        Result<void> collected = Collect(query, scope, metrics_, hosting_, buckets);
        if (!collected) return Outcome::Internal(collected.error(), "GetMetricStatistics");
    }
    json answer = {{"Label", query.metric}, {"Datapoints", json::array()}};
    for (const auto& [start_ms, bucket] : buckets) {
        json entry = {{"Timestamp", EpochSeconds(start_ms)}, {"Unit", unit}};
        for (const std::string& statistic : query.statistics) entry[statistic] = bucket.Of(statistic);
        answer["Datapoints"].push_back(std::move(entry));
    }
    return Outcome::Ok(answer);
}

}  // namespace espalier::api::metrics
