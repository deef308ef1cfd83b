#include "api/metrics/metric_operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "api/list_token.h"
#include "api/metrics/metric_reading.h"
#include "monitor/data_query.h"

namespace espalier::api::metrics {
namespace {

using nlohmann::json;

constexpr std::size_t kDataMax = 1000;           // metric data of one PutMetricData
constexpr std::size_t kValuesPerDatumMax = 150;  // values of one of them
constexpr std::size_t kDimensionsMax = 30;
constexpr std::size_t kQueriesMax = 500;          // of one GetMetricData
constexpr std::int64_t kDataPointsMax = 100'800;  // of one GetMetricData
constexpr std::size_t kMetricsPerPage = 500;
constexpr UnixMillis kPastMillisMax = UnixMillis{14} * 24 * 3'600'000;
constexpr UnixMillis kFutureMillisMax = 2 * 3'600'000;
constexpr UnixMillis kRecentlyActiveMillis = 3 * 3'600'000;

/// What the operations work with. Borrowed.
struct Context {
    monitor::Metrics& metrics;
    const Clock& clock;
    std::function<void()> before_read;
};

// -- PutMetricData ----------------------------------------------------------------------------------------------------

bool Acceptable(const json& number) {
    const double value = number.get<double>();
    return std::isfinite(value) && std::abs(value) <= std::pow(2.0, 360);
}

/// Adds Value, Values and Counts, or StatisticValues of a datum.
std::optional<WireError> ReadValues(const json& datum, Distribution& values) {
    const bool one = datum.contains("Value");
    const bool many = datum.contains("Values");
    const bool summary = datum.contains("StatisticValues");
    if (one + many + summary != 1)
        return BadCombination("Each of the MetricData needs one of Value, Values and StatisticValues.");
    const auto refuse = [] { return InvalidValue("Values must be finite and between -2^360 and 2^360."); };
    if (one) {
        if (!Acceptable(datum["Value"])) return refuse();
        values.Add(datum["Value"].get<double>());
    } else if (many) {
        const json& list = datum["Values"];
        const json counts = datum.value("Counts", json(std::vector<double>(list.size(), 1.0)));
        if (list.empty() || list.size() > kValuesPerDatumMax || counts.size() != list.size())
            return InvalidValue(fmt::format("Values must be 1 to {} and Counts as many.", kValuesPerDatumMax));
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (!Acceptable(list[i]) || !Acceptable(counts[i]) || counts[i].get<double>() <= 0) return refuse();
            values.Add(list[i].get<double>(), counts[i].get<double>());
        }
    } else {
        const json& set = datum["StatisticValues"];
        const Distribution::Summary told{.count = set.at("SampleCount").get<double>(),
                                         .sum = set.at("Sum").get<double>(),
                                         .minimum = set.at("Minimum").get<double>(),
                                         .maximum = set.at("Maximum").get<double>()};
        for (const auto& [name, number] : set.items())
            if (!Acceptable(number)) return refuse();
        if (told.count <= 0 || told.minimum > told.maximum)
            return InvalidValue("StatisticValues needs a SampleCount above 0 and a Minimum not above the Maximum.");
        values.AddSummary(told);
    }
    return std::nullopt;
}

std::variant<monitor::MetricValues, WireError> ReadDatum(const json& datum, const meta::Scope& scope,
                                                         const std::string& name_space, UnixMillis now) {
    auto dimensions = DimensionsOf(datum);
    if (const auto* error = std::get_if<WireError>(&dimensions)) return *error;
    monitor::MetricValues values{
        .metric = {.scope = scope,
                   .name_space = name_space,
                   .name = datum.at("MetricName").get<std::string>(),
                   .dimensions = std::move(std::get<std::map<std::string, std::string>>(dimensions))},
        .unit = datum.value("Unit", "None"),
        .time = datum.contains("Timestamp") ? MillisOf(datum["Timestamp"]) : now,
        .high_resolution = datum.value("StorageResolution", 60) == 1,
        .values = {}};
    const int resolution = datum.value("StorageResolution", 60);
    if (resolution != 1 && resolution != 60) return InvalidValue("StorageResolution must be 1 or 60.");
    if (values.metric.dimensions.size() > kDimensionsMax)
        return InvalidValue(fmt::format("A metric has at most {} dimensions.", kDimensionsMax));
    if (values.time < now - kPastMillisMax || values.time > now + kFutureMillisMax)
        return InvalidValue(
            fmt::format("The parameter MetricData.{}.Timestamp must be at most two weeks ago and two hours ahead.",
                        values.metric.name));
    if (std::optional<WireError> error = ReadValues(datum, values.values)) return *error;
    return values;
}

Outcome PutMetricData(const Context& context, const json& request, const meta::Scope& scope) {
    if (request.contains("EntityMetricData"))
        return Outcome::Fail(
            InvalidValue("EntityMetricData is not supported: metrics have no entities; give MetricData."));
    const std::string name_space = request["Namespace"].get<std::string>();
    if (name_space.starts_with("AWS/"))
        return Outcome::Fail(InvalidValue("The value AWS/ for parameter Namespace is invalid: it is kept for AWS."));
    const json data = request.value("MetricData", json::array());
    if (data.empty())
        return Outcome::Fail({.type = "MissingParameter", .message = "The parameter MetricData is required."});
    if (data.size() > kDataMax)
        return Outcome::Fail(
            InvalidValue(fmt::format("The collection MetricData must not have a size greater than {}.", kDataMax)));
    std::vector<monitor::MetricValues> values;
    for (const json& datum : data) {
        auto read = ReadDatum(datum, scope, name_space, context.clock.WallMillis());
        if (const auto* error = std::get_if<WireError>(&read)) return Outcome::Fail(*error);
        values.push_back(std::move(std::get<monitor::MetricValues>(read)));
    }
    Result<void> put = context.metrics.Put(values);
    return put ? Outcome::Empty() : Outcome::Internal(put.error(), "PutMetricData");
}

// -- GetMetricStatistics ----------------------------------------------------------------------------------------------

std::variant<std::vector<monitor::Statistic>, WireError> StatisticsOf(const json& request, const char* member,
                                                                      bool extended) {
    std::vector<monitor::Statistic> statistics;
    if (!request.contains(member)) return statistics;
    for (const json& text : request[member]) {
        Result<monitor::Statistic> statistic = monitor::Statistic::Parse(text.get<std::string>());
        if (!statistic) return InvalidValue(statistic.error().message());
        if (extended == statistic->plain())
            return InvalidValue(fmt::format("The statistic {} does not belong into {}.", statistic->text(), member));
        statistics.push_back(std::move(*statistic));
    }
    return statistics;
}

Outcome GetMetricStatistics(const Context& context, const json& request, const meta::Scope& scope) {
    auto plain = StatisticsOf(request, "Statistics", false);
    if (const auto* error = std::get_if<WireError>(&plain)) return Outcome::Fail(*error);
    auto extended = StatisticsOf(request, "ExtendedStatistics", true);
    if (const auto* error = std::get_if<WireError>(&extended)) return Outcome::Fail(*error);
    auto dimensions = DimensionsOf(request);
    if (const auto* error = std::get_if<WireError>(&dimensions)) return Outcome::Fail(*error);
    auto window = WindowOf(request, request["Period"]);
    if (const auto* error = std::get_if<WireError>(&window)) return Outcome::Fail(*error);
    auto& query = std::get<monitor::PeriodQuery>(window);
    const std::int64_t num_points = (query.to - query.from + query.period_ms - 1) / query.period_ms;
    if (num_points > kDatapointsMax) {
        return Outcome::Fail(BadCombination(
            fmt::format("You have requested up to {} datapoints, which exceeds the limit of {}. You may reduce the "
                        "datapoints requested by increasing Period, or decreasing the time range.",
                        num_points, kDatapointsMax)));
    }
    const auto& statistics = std::get<std::vector<monitor::Statistic>>(plain);
    const auto& percentiles = std::get<std::vector<monitor::Statistic>>(extended);
    if (statistics.empty() && percentiles.empty())
        return Outcome::Fail(
            BadCombination("At least one of the parameters Statistics and ExtendedStatistics must be specified."));
    query.metric = {.scope = scope,
                    .name_space = request["Namespace"].get<std::string>(),
                    .name = request["MetricName"].get<std::string>(),
                    .dimensions = std::move(std::get<std::map<std::string, std::string>>(dimensions))};
    query.unit = request.value("Unit", "");
    context.before_read();
    Result<monitor::Periods> periods = context.metrics.Read(query);
    if (!periods) return Outcome::Internal(periods.error(), "GetMetricStatistics");
    json answer = {{"Label", query.metric.name}, {"Datapoints", json::array()}};
    for (const auto& [begin, values] : periods->by_begin) {
        json point = {{"Timestamp", EpochSeconds(begin)}, {"Unit", periods->unit}};
        for (const monitor::Statistic& statistic : statistics) point[statistic.text()] = *statistic.Of(values);
        for (const monitor::Statistic& percentile : percentiles)
            if (const std::optional<double> value = percentile.Of(values))
                point["ExtendedStatistics"][percentile.text()] = *value;
        answer["Datapoints"].push_back(std::move(point));
    }
    return Outcome::Ok(answer);
}

// -- GetMetricData ----------------------------------------------------------------------------------------------------

WireError ValidationError(std::string message) {
    return {.type = "ValidationError", .message = std::move(message)};
}

std::variant<std::vector<monitor::DataQuery>, WireError> ReadDataQueries(const json& request,
                                                                         const meta::Scope& scope) {
    if (request["MetricDataQueries"].size() > kQueriesMax)
        return InvalidValue(fmt::format("At most {} MetricDataQueries are taken.", kQueriesMax));
    auto queries = monitor::ParseDataQueries(scope, request["MetricDataQueries"]);
    if (!queries) return ValidationError(queries.error().message());
    std::int64_t num_points = 0;
    for (const monitor::DataQuery& query : *queries) {
        auto window = WindowOf(request, query.period_ms / 1000);
        if (const auto* error = std::get_if<WireError>(&window)) return *error;
        const auto& periods = std::get<monitor::PeriodQuery>(window);
        num_points += (periods.to - periods.from) / periods.period_ms + 1;
    }
    if (num_points > kDataPointsMax)
        return ValidationError(
            fmt::format("The request is for {} data points, more than {}: ask for a longer Period or a shorter time.",
                        num_points, kDataPointsMax));
    return std::move(*queries);
}

/// Hands out points of one answer after another until the page is full; a token is the number of points handed out
/// before.
class PointPager {
  public:
    PointPager(std::int64_t skip, std::int64_t points_max) : skip_(skip), end_(skip + points_max) {}
    /// Whether the next point belongs to this page.
    bool Take() {
        const std::int64_t position = position_++;
        return position >= skip_ && position < end_;
    }
    bool full() const { return position_ > end_; }
    std::string next_token() const { return std::to_string(end_); }

  private:
    const std::int64_t skip_;
    const std::int64_t end_;
    std::int64_t position_ = 0;
};

json ResultJson(const monitor::DataResult& result, bool oldest_first, PointPager& pager) {
    json timestamps = json::array();
    json values = json::array();
    const auto add = [&](const auto& point) {
        if (!pager.Take()) return;
        timestamps.push_back(EpochSeconds(point.first));
        values.push_back(point.second);
    };
    if (oldest_first)
        std::for_each(result.points.begin(), result.points.end(), add);
    else
        std::for_each(result.points.rbegin(), result.points.rend(), add);
    return {{"Id", result.id},
            {"Label", result.label},
            {"Timestamps", std::move(timestamps)},
            {"Values", std::move(values)},
            {"StatusCode", pager.full() ? "PartialData" : "Complete"}};
}

Outcome GetMetricData(const Context& context, const json& request, const meta::Scope& scope) {
    std::int64_t skip = 0;
    if (request.contains("NextToken")) {
        const std::string token = request["NextToken"].get<std::string>();
        const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), skip);
        if (error != std::errc() || end != token.data() + token.size() || skip < 0 || skip > kDataPointsMax)
            return Outcome::Fail(
                {.type = "InvalidNextToken", .message = "The NextToken is not one of this operation."});
    }
    const auto queries = ReadDataQueries(request, scope);
    if (const auto* error = std::get_if<WireError>(&queries)) return Outcome::Fail(*error);
    const bool oldest_first = request.value("ScanBy", "TimestampDescending") == "TimestampAscending";
    const auto points_max = request.value("MaxDatapoints", kDataPointsMax);
    if (points_max < 1) return Outcome::Fail(InvalidValue("MaxDatapoints must be at least 1."));
    PointPager pager(skip, std::min(points_max, kDataPointsMax));
    context.before_read();
    json answer = {{"MetricDataResults", json::array()}, {"Messages", json::array()}};
    const auto results = monitor::ReadData(context.metrics, std::get<std::vector<monitor::DataQuery>>(queries),
                                           MillisOf(request["StartTime"]), MillisOf(request["EndTime"]));
    if (!results && results.error().code() == ErrorCode::kInvalidArgument)
        return Outcome::Fail(ValidationError(results.error().message()));
    if (!results) return Outcome::Internal(results.error(), "GetMetricData");
    for (const monitor::DataResult& result : *results)
        answer["MetricDataResults"].push_back(ResultJson(result, oldest_first, pager));
    if (pager.full()) answer["NextToken"] = pager.next_token();
    return Outcome::Ok(answer);
}

// -- ListMetrics ------------------------------------------------------------------------------------------------------

Outcome ListMetrics(const Context& context, const json& request, const meta::Scope& scope) {
    if (request.value("IncludeLinkedAccounts", false) || request.value("OwningAccount", scope.account) != scope.account)
        return Outcome::Fail(InvalidValue("There are no linked accounts; metrics are those of the caller's account."));
    monitor::Metrics::List list{.name_space = request.value("Namespace", ""),
                                .name = request.value("MetricName", ""),
                                .limit = kMetricsPerPage};
    for (const json& filter : request.value("Dimensions", json::array())) {
        std::optional<std::string> value;
        if (filter.contains("Value")) value = filter["Value"].get<std::string>();
        list.dimensions[filter.at("Name").get<std::string>()] = value;
    }
    if (request.contains("RecentlyActive")) list.active_since = context.clock.WallMillis() - kRecentlyActiveMillis;
    const auto bad_token = [] {
        return Outcome::Fail({.type = "InvalidNextToken", .message = "The NextToken is not one of this operation."});
    };
    if (request.contains("NextToken")) {
        const auto place = ReadListToken(request["NextToken"].get<std::string>(), "ListMetrics", scope, request);
        if (!place) return bad_token();
        list.after = place->row;
    }
    context.before_read();
    Result<monitor::Metrics::Page> page = context.metrics.ListMetrics(scope, list);
    if (!page && page.error().code() == ErrorCode::kInvalidArgument) return bad_token();
    if (!page) return Outcome::Internal(page.error(), "ListMetrics");
    json answer = {{"Metrics", json::array()}};
    for (const monitor::MetricName& metric : page->metrics)
        answer["Metrics"].push_back({{"Namespace", metric.name_space},
                                     {"MetricName", metric.name},
                                     {"Dimensions", DimensionsJson(metric.dimensions)}});
    if (page->next)
        answer["NextToken"] = MakeListToken("ListMetrics", scope, request, {.sort_value = "", .row = *page->next});
    return Outcome::Ok(answer);
}

}  // namespace

void AddMetricOperations(MetricsOperations& operations, monitor::Metrics& metrics, const Clock& clock,
                         std::function<void()> before_read) {
    const auto context = std::make_shared<const Context>(
        Context{.metrics = metrics, .clock = clock, .before_read = std::move(before_read)});
    const auto add = [&](const char* name, Outcome (*operation)(const Context&, const json&, const meta::Scope&)) {
        operations[name] = [context, operation](const json& request, const meta::Scope& scope) {
            return operation(*context, request, scope);
        };
    };
    add("PutMetricData", PutMetricData);
    add("GetMetricStatistics", GetMetricStatistics);
    add("GetMetricData", GetMetricData);
    add("ListMetrics", ListMetrics);
}

}  // namespace espalier::api::metrics
