#include "monitor/alarm_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace espalier::monitor {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kRangeSecondsMax = 7 * 86'400;
constexpr std::size_t kQueriesMax = 20;

Error Invalid(std::string message) {
    return {ErrorCode::kInvalidArgument, std::move(message)};
}

struct Refused {
    const char* member;
    const char* why;
};
constexpr Refused kRefused[] = {
    {"ThresholdMetricId", "anomaly detection is not available; give Threshold"},
    {"EvaluationWindow", "alarms look at whole periods, see EvaluationPeriods"},
    {"WarmUpConfiguration", "alarms are evaluated from their first period on"},
    {"EvaluationCriteria", "alarms compare a statistic with a Threshold"},
    {"EvaluationInterval", "alarms are evaluated when a period ends"},
    {"ActionConfiguration", "there is no service that an alarm could call"},
    {"OKActions", "there is no service that an alarm could call; look at its state with DescribeAlarms"},
    {"InsufficientDataActions", "there is no service that an alarm could call; look at its state with DescribeAlarms"},
};

/// The only actions are step scaling policies, which look for the alarms that name them (hosting/autoscaler.h).
bool IsScalingPolicy(std::string_view arn) {
    return arn.starts_with("arn:") && arn.find(":autoscaling:") != std::string_view::npos &&
           arn.find(":scalingPolicy:") != std::string_view::npos;
}

Result<void> RefuseMembers(const Json& request) {
    for (const Json& action : request.value("AlarmActions", Json::array())) {
        const std::string arn = action.get<std::string>();
        if (!IsScalingPolicy(arn))
            return Invalid(
                fmt::format("AlarmActions: {} is not supported: an alarm can start scaling policies, by the ARN of "
                            "PutScalingPolicy.",
                            arn));
    }
    for (const Refused& refused : kRefused)
        if (request.contains(refused.member) && !request[refused.member].empty())
            return Invalid(fmt::format("{} is not supported: {}.", refused.member, refused.why));
    if (request.value("EvaluateLowSampleCountPercentile", "evaluate") != "evaluate")
        return Invalid("EvaluateLowSampleCountPercentile is not supported but for evaluate.");
    return {};
}

Result<Statistic> StatisticOf(const Json& request) {
    const bool plain = request.contains("Statistic");
    if (plain == request.contains("ExtendedStatistic"))
        return Invalid("An alarm needs either Statistic or ExtendedStatistic.");
    Statistic statistic =
        TRY(Statistic::Parse(request.at(plain ? "Statistic" : "ExtendedStatistic").get<std::string>()));
    if (plain == statistic.plain()) return statistic;
    return Invalid(fmt::format("The statistic {} does not belong into {}.", statistic.text(),
                               plain ? "Statistic" : "ExtendedStatistic"));
}

/// The one query of an alarm that gives its metric without an Id.
Result<std::vector<DataQuery>> QueryOfMetric(const meta::Scope& scope, const Json& request) {
    MetricName metric{.scope = scope,
                      .name_space = request.value("Namespace", ""),
                      .name = request.value("MetricName", ""),
                      .dimensions = {}};
    if (metric.name_space.empty() || metric.name.empty())
        return Invalid("The parameters Namespace and MetricName, or Metrics, are required.");
    for (const Json& dimension : request.value("Dimensions", Json::array()))
        metric.dimensions[dimension.at("Name").get<std::string>()] = dimension.at("Value").get<std::string>();
    Statistic statistic = TRY(StatisticOf(request));
    std::vector<DataQuery> queries;
    queries.push_back({.id = "m1",
                       .label = metric.name,
                       .period_ms = request.value("Period", std::int64_t{0}) * 1000,
                       .what = MetricStat{std::move(metric), std::move(statistic), request.value("Unit", "")}});
    return queries;
}

Result<std::vector<DataQuery>> QueriesOfMetrics(const meta::Scope& scope, const Json& request) {
    for (const char* member :
         {"Namespace", "MetricName", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic"})
        if (request.contains(member) && !(request[member].is_array() && request[member].empty()))
            return Invalid(fmt::format("Metrics and {} cannot be given together.", member));
    std::vector<DataQuery> queries = TRY(ParseDataQueries(scope, request["Metrics"]));
    if (queries.size() > kQueriesMax) return Invalid(fmt::format("An alarm has at most {} Metrics.", kQueriesMax));
    if (std::ranges::count_if(queries, &DataQuery::returned) != 1)
        return Invalid("Exactly one of the Metrics, the one that the alarm watches, must have ReturnData true.");
    if (std::ranges::find_if(queries, &DataQuery::returned)->gives_list)
        return Invalid("An alarm watches one time series, not an array of them.");
    return queries;
}

Result<UnixMillis> PeriodOf(const DataQuery& query) {
    const std::int64_t seconds = query.period_ms / 1000;
    const bool regular = seconds == 10 || seconds == 20 || seconds == 30 || (seconds > 0 && seconds % 60 == 0);
    if (!regular) return Invalid("The parameter Period must be 10, 20, 30 or a multiple of 60.");
    return query.period_ms;
}

Result<AlarmRule> RuleOf(const Json& request) {
    AlarmRule rule;
    const std::string comparison = request.value("ComparisonOperator", "");
    const std::optional<Comparison> known = ComparisonOf(comparison);
    if (!known)
        return Invalid(
            fmt::format("The parameter ComparisonOperator must compare with a Threshold: \"{}\".", comparison));
    rule.comparison = *known;
    if (!request.contains("Threshold")) return Invalid("The parameter Threshold is required.");
    rule.threshold = request["Threshold"].get<double>();
    if (!std::isfinite(rule.threshold)) return Invalid("The parameter Threshold must be finite.");
    rule.evaluation_periods = request.value("EvaluationPeriods", 0);
    if (rule.evaluation_periods < 1) return Invalid("The parameter EvaluationPeriods must be at least 1.");
    rule.datapoints_to_alarm = request.value("DatapointsToAlarm", rule.evaluation_periods);
    if (rule.datapoints_to_alarm < 1 || rule.datapoints_to_alarm > rule.evaluation_periods)
        return Invalid("The parameter DatapointsToAlarm must be 1 to EvaluationPeriods.");
    const std::string missing = request.value("TreatMissingData", "missing");
    const std::optional<MissingData> treatment = MissingDataOf(missing);
    if (!treatment)
        return Invalid("The parameter TreatMissingData must be breaching, notBreaching, ignore or missing.");
    rule.missing = *treatment;
    return rule;
}

}  // namespace

Result<AlarmSpec> ParseAlarmSpec(const meta::Scope& scope, const Json& request) {
    TRY(RefuseMembers(request));
    const bool math = request.contains("Metrics") && !request["Metrics"].empty();
    AlarmSpec spec{.queries = {}, .rule = {}};
    spec.queries = math ? TRY(QueriesOfMetrics(scope, request)) : TRY(QueryOfMetric(scope, request));
    spec.rule = TRY(RuleOf(request));
    spec.period_ms = TRY(PeriodOf(*std::ranges::find_if(spec.queries, &DataQuery::returned)));
    if (spec.period_ms / 1000 * spec.rule.evaluation_periods > kRangeSecondsMax)
        return Invalid("Period times EvaluationPeriods must be a week at most.");
    return spec;
}

MetricStat* AlarmSpec::statistic() {
    return std::get_if<MetricStat>(&std::ranges::find_if(queries, &DataQuery::returned)->what);
}

const MetricStat* AlarmSpec::statistic() const {
    return std::get_if<MetricStat>(&std::ranges::find_if(queries, &DataQuery::returned)->what);
}

Result<std::vector<std::optional<double>>> ReadAlarmPoints(Metrics& metrics, const AlarmSpec& spec,
                                                           UnixMillis range_end, int count) {
    const UnixMillis from = range_end - count * spec.period_ms;
    const std::vector<DataResult> results = TRY(ReadData(metrics, spec.queries, from, range_end));
    std::vector<std::optional<double>> points(static_cast<std::size_t>(count));
    for (const DataResult& result : results)
        for (const auto& [begin, value] : result.points)
            points[static_cast<std::size_t>((begin - from) / spec.period_ms)] = value;
    return points;
}

}  // namespace espalier::monitor
