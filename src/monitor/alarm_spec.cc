#include "monitor/alarm_spec.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace espalier::monitor {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kRangeSecondsMax = 7 * 86'400;

Error Invalid(std::string message) {
    return {ErrorCode::kInvalidArgument, std::move(message)};
}

struct Refused {
    const char* member;
    const char* why;
};
constexpr Refused kRefused[] = {
    {"Metrics", "metric math is not available; give Namespace, MetricName and Statistic"},
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
    return Statistic::Parse(request.at(plain ? "Statistic" : "ExtendedStatistic").get<std::string>());
}

Result<UnixMillis> PeriodOf(const Json& request) {
    const std::int64_t seconds = request.value("Period", std::int64_t{0});
    const bool regular = seconds == 10 || seconds == 20 || seconds == 30 || (seconds > 0 && seconds % 60 == 0);
    if (!regular) return Invalid("The parameter Period must be 10, 20, 30 or a multiple of 60.");
    return seconds * 1000;
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
    MetricName metric{.scope = scope,
                      .name_space = request.value("Namespace", ""),
                      .name = request.value("MetricName", ""),
                      .dimensions = {}};
    if (metric.name_space.empty() || metric.name.empty())
        return Invalid("The parameters Namespace and MetricName are required.");
    for (const Json& dimension : request.value("Dimensions", Json::array()))
        metric.dimensions[dimension.at("Name").get<std::string>()] = dimension.at("Value").get<std::string>();
    AlarmRule rule = TRY(RuleOf(request));
    const UnixMillis period_ms = TRY(PeriodOf(request));
    if (period_ms / 1000 * rule.evaluation_periods > kRangeSecondsMax)
        return Invalid("Period times EvaluationPeriods must be a week at most.");
    Statistic statistic = TRY(StatisticOf(request));
    return AlarmSpec{.metric = std::move(metric),
                     .statistic = std::move(statistic),
                     .unit = request.value("Unit", ""),
                     .period_ms = period_ms,
                     .rule = rule};
}

}  // namespace espalier::monitor
