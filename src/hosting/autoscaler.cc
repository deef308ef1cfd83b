#include "hosting/autoscaler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/uuid.h"
#include "hosting/endpoint_metrics.h"
#include "hosting/step_scaling.h"

namespace espalier::hosting {
namespace {

using Json = nlohmann::json;

constexpr UnixMillis kMinuteMillis = 60'000;
constexpr std::int64_t kCooldownSeconds = 300;
constexpr const char* kPredefined = "SageMakerVariantInvocationsPerInstance";

Error Invalid(std::string message) {
    return {ErrorCode::kInvalidArgument, std::move(message)};
}

Result<void> CheckPolicy(const Json& configuration) {
    const double target = configuration.at("TargetValue").get<double>();
    if (!(target > 0) || !std::isfinite(target)) return Invalid("TargetValue must be more than 0.");
    const bool predefined = configuration.contains("PredefinedMetricSpecification");
    if (predefined == configuration.contains("CustomizedMetricSpecification"))
        return Invalid("Give either PredefinedMetricSpecification or CustomizedMetricSpecification.");
    for (const char* cooldown : {"ScaleOutCooldown", "ScaleInCooldown"})
        if (configuration.value(cooldown, std::int64_t{0}) < 0)
            return Invalid(fmt::format("{} is negative.", cooldown));
    if (predefined) {
        const std::string type = configuration["PredefinedMetricSpecification"].at("PredefinedMetricType");
        if (type == kPredefined) return {};
        return Invalid(fmt::format("The metric {} is not supported: variants scale by {}.", type, kPredefined));
    }
    const Json& metric = configuration["CustomizedMetricSpecification"];
    if (metric.contains("Metrics")) return Invalid("Metrics is not supported: metric math is not available.");
    for (const char* member : {"MetricName", "Namespace", "Statistic"})
        if (!metric.contains(member)) return Invalid(fmt::format("CustomizedMetricSpecification needs {}.", member));
    return {};
}

Result<void> CheckScalable(const EndpointSpec& spec, const ScaledVariant& which) {
    for (const DeployedVariant& each : spec.production) {
        if (each.spec.name != which.variant) continue;
        if (!each.spec.serverless) return {};
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("The variant {} of endpoint {} is serverless: it has no instances to scale.",
                                 which.variant, which.endpoint));
    }
    return Error(ErrorCode::kNotFound,
                 fmt::format("The endpoint {} has no variant {}.", which.endpoint, which.variant));
}

std::optional<int> VariantCount(const EndpointSpec& spec, const std::string& variant) {
    for (const DeployedVariant& each : spec.production)
        if (each.spec.name == variant) return each.spec.num_instances;
    return std::nullopt;
}

}  // namespace

std::optional<ScaledVariant> ParseScaledVariant(std::string_view resource) {
    constexpr std::string_view kEndpoint = "endpoint/";
    constexpr std::string_view kVariant = "/variant/";
    const std::size_t middle = resource.find(kVariant);
    if (!resource.starts_with(kEndpoint) || middle == std::string_view::npos) return std::nullopt;
    ScaledVariant parts{.endpoint = std::string(resource.substr(kEndpoint.size(), middle - kEndpoint.size())),
                        .variant = std::string(resource.substr(middle + kVariant.size()))};
    const bool whole = !parts.endpoint.empty() && !parts.variant.empty() &&
                       parts.endpoint.find('/') == std::string::npos && parts.variant.find('/') == std::string::npos;
    return whole ? std::optional(std::move(parts)) : std::nullopt;
}

Autoscaler::Autoscaler(const Options& options) : options_(options), rows_(*options.database) {
    if (options_.tick.count() > 0) thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

Result<void> Autoscaler::Register(const meta::Scope& scope, const std::string& resource,
                                  std::optional<std::int64_t> minimum, std::optional<std::int64_t> maximum,
                                  const Json& request) {
    const std::optional<ScaledVariant> which = ParseScaledVariant(resource);
    if (!which) return Invalid(fmt::format("The resource id {} must be endpoint/NAME/variant/NAME.", resource));
    const EndpointService::Endpoint endpoint = TRY(options_.endpoints->Find(scope, which->endpoint));
    TRY(CheckScalable(endpoint.spec, *which));
    std::optional<meta::ScalableTarget> known = TRY(rows_.FindTarget(scope, resource));
    if (!known && (!minimum || !maximum))
        return Invalid("MinCapacity and MaxCapacity are required for a target that is not registered yet.");
    meta::ScalableTarget target = known.value_or(meta::ScalableTarget{.scope = scope,
                                                                      .resource = resource,
                                                                      .minimum = 0,
                                                                      .maximum = 0,
                                                                      .document = "{}",
                                                                      .created_at = options_.clock->WallMillis()});
    target.minimum = minimum.value_or(target.minimum);
    target.maximum = maximum.value_or(target.maximum);
    if (target.minimum < (endpoint.spec.async ? 0 : 1))
        return Invalid(endpoint.spec.async ? "MinCapacity must not be negative."
                                           : "MinCapacity must be at least 1: a variant without instances could not "
                                             "answer.");
    if (target.maximum < target.minimum) return Invalid("MaxCapacity must not be less than MinCapacity.");
    Json document = Json::parse(target.document);
    for (const char* member : {"RoleARN", "SuspendedState"})
        if (request.contains(member)) document[member] = request[member];
    target.document = document.dump();
    return rows_.PutTarget(target);
}

Result<std::string> Autoscaler::PutPolicy(const meta::Scope& scope, const std::string& resource,
                                          const std::string& name, const Json& configuration) {
    const std::optional<meta::ScalableTarget> target = TRY(rows_.FindTarget(scope, resource));
    if (!target) return Error(ErrorCode::kNotFound, fmt::format("No scalable target registered for {}.", resource));
    TRY(IsStepPolicy(configuration) ? CheckStepPolicy(configuration) : CheckPolicy(configuration));
    meta::ScalingPolicy policy{.scope = scope,
                               .resource = resource,
                               .name = name,
                               .id = NewUuid(),
                               .document = configuration.dump(),
                               .created_at = options_.clock->WallMillis()};
    const std::vector<meta::ScalingPolicy> known = TRY(rows_.Policies(scope, resource, "", "", SIZE_MAX >> 1));
    for (const meta::ScalingPolicy& each : known) {
        if (each.name != name) continue;
        policy.id = each.id;
        policy.created_at = each.created_at;
    }
    TRY(rows_.PutPolicy(policy));
    return policy.id;
}

void Autoscaler::EvaluateAll() {
    auto targets = rows_.AllTargets();
    if (!targets) {
        LOG_ERROR("scalable targets cannot be read", {"error", targets.error().ToString()});
        return;
    }
    for (meta::ScalableTarget& target : *targets) {
        const std::string resource = target.resource;
        Result<void> done = Evaluate(std::move(target));
        if (!done && done.error().code() != ErrorCode::kNotFound && done.error().code() != ErrorCode::kConflict)
            LOG_ERROR("a variant could not be scaled", {"resource", resource}, {"error", done.error().ToString()});
    }
}

Result<void> Autoscaler::Evaluate(meta::ScalableTarget target) {
    const std::optional<ScaledVariant> which = ParseScaledVariant(target.resource);
    if (!which) return {};
    const EndpointService::Endpoint endpoint = TRY(options_.endpoints->Find(target.scope, which->endpoint));
    const std::optional<int> now = VariantCount(endpoint.spec, which->variant);
    if (!now || endpoint.record.status != "InService") return {};
    const std::int64_t count = *now;
    const std::int64_t bounded = std::clamp(count, target.minimum, target.maximum);
    if (bounded != count) {
        const char* bound = bounded > count ? "minimum" : "maximum";
        return Change(std::move(target), *which, count,
                      {.count = bounded, .cause = fmt::format("the {} capacity is {}", bound, bounded)});
    }
    std::optional<Wish> wish = TRY(WishOf(target, count, options_.clock->WallMillis()));
    if (!wish) return {};
    wish->count = std::clamp(wish->count, target.minimum, target.maximum);
    if (wish->count == count) return {};
    return Change(std::move(target), *which, count, *wish);
}

Result<std::optional<Autoscaler::Wish>> Autoscaler::WishOf(const meta::ScalableTarget& target, std::int64_t count,
                                                           UnixMillis now) {
    const std::vector<meta::ScalingPolicy> policies =
        TRY(rows_.Policies(target.scope, target.resource, "", "", SIZE_MAX >> 1));
    std::optional<Wish> tracking;
    std::optional<Wish> step;
    bool all_track = true;
    for (const meta::ScalingPolicy& policy : policies) {
        const bool is_step = IsStepPolicy(Json::parse(policy.document));
        std::optional<Wish> wish =
            TRY(is_step ? StepWish(policy, target, count, now) : TrackingWish(policy, target, count, now));
        all_track = all_track && (is_step || wish.has_value());
        std::optional<Wish>& largest = is_step ? step : tracking;
        if (wish && (!largest || wish->count > largest->count)) largest = std::move(wish);
    }
    // Fewer instances to track a target only when every such policy is for it.
    if (tracking && tracking->count < count && !all_track) tracking.reset();
    return !step || (tracking && tracking->count > step->count) ? tracking : step;
}

Result<std::vector<meta::AlarmRecord>> Autoscaler::AlarmsOf(const meta::ScalingPolicy& policy,
                                                            const std::string& state) const {
    const std::string mark = fmt::format(":scalingPolicy:{}:", policy.id);
    std::vector<meta::AlarmRecord> alarms =
        TRY(options_.alarms->List({.scope = policy.scope, .state = state, .limit = SIZE_MAX >> 1}));
    std::erase_if(alarms, [&](const meta::AlarmRecord& alarm) {
        const Json request = Json::parse(alarm.document);
        const Json actions = request.value("AlarmActions", Json::array());
        return !request.value("ActionsEnabled", true) ||
               std::none_of(actions.begin(), actions.end(),
                            [&](const Json& each) { return each.get<std::string>().find(mark) != std::string::npos; });
    });
    return alarms;
}

Result<std::optional<double>> Autoscaler::BreachOf(const meta::AlarmRecord& alarm, monitor::AlarmSpec spec,
                                                   const std::string& statistic, UnixMillis now) {
    if (monitor::MetricStat* watched = spec.statistic()) watched->statistic = TRY(monitor::Statistic::Parse(statistic));
    const auto points = TRY(monitor::ReadAlarmPoints(*options_.metrics, spec, now - now % spec.period_ms, 1));
    std::optional<double> value = points[0];
    const Json data = Json::parse(alarm.state_data, nullptr, /*allow_exceptions=*/false);
    const Json recent = data.is_object() ? data.value("recentDatapoints", Json::array()) : Json::array();
    if (!value && recent.is_array() && !recent.empty() && recent.back().is_number())
        value = recent.back().get<double>();
    if (!value) return std::optional<double>();
    return std::optional(*value - spec.rule.threshold);
}

Result<std::optional<Autoscaler::Wish>> Autoscaler::StepWish(const meta::ScalingPolicy& policy,
                                                             const meta::ScalableTarget& target, std::int64_t count,
                                                             UnixMillis now) {
    const Json configuration = Json::parse(policy.document);
    const Json suspended = Json::parse(target.document).value("SuspendedState", Json::object());
    const UnixMillis cooldown = configuration.value("Cooldown", kCooldownSeconds) * 1000;
    const UnixMillis last_change = std::max(target.scaled_in_at, target.scaled_out_at);
    std::optional<Wish> largest;
    const std::vector<meta::AlarmRecord> alarms = TRY(AlarmsOf(policy, "ALARM"));
    for (const meta::AlarmRecord& alarm : alarms) {
        const monitor::AlarmSpec spec = TRY(monitor::ParseAlarmSpec(alarm.scope, Json::parse(alarm.document)));
        if (last_change >= now - now % spec.period_ms && last_change >= alarm.updated_at) continue;  // it has acted
        const auto breach = TRY(BreachOf(alarm, spec, configuration.value("MetricAggregationType", "Average"), now));
        const bool above = spec.rule.comparison == monitor::Comparison::kGreater ||
                           spec.rule.comparison == monitor::Comparison::kGreaterOrEqual;
        const auto capacity = breach ? StepCapacity(configuration, count, *breach, above) : std::nullopt;
        if (!capacity || *capacity == count) continue;
        const bool grows = *capacity > count;
        const bool is_suspended =
            suspended.value(grows ? "DynamicScalingOutSuspended" : "DynamicScalingInSuspended", false);
        const bool is_cool = now - (grows ? target.scaled_out_at : last_change) >= cooldown;
        if (is_suspended || !is_cool || (largest && *capacity <= largest->count)) continue;
        largest =
            Wish{.count = *capacity,
                 .cause = fmt::format("monitor alarm {} in state ALARM triggered policy {}: {} from its threshold",
                                      alarm.name, policy.name, *breach)};
    }
    return largest;
}

Result<std::optional<Autoscaler::Wish>> Autoscaler::TrackingWish(const meta::ScalingPolicy& policy,
                                                                 const meta::ScalableTarget& target, std::int64_t count,
                                                                 UnixMillis now) {
    const Json configuration = Json::parse(policy.document);
    const Json suspended = Json::parse(target.document).value("SuspendedState", Json::object());
    const double goal = configuration.at("TargetValue").get<double>();
    const auto cooled = [&](const char* member, UnixMillis last) {
        return now - last >= configuration.value(member, kCooldownSeconds) * 1000;
    };
    const std::vector<std::optional<double>> minutes = TRY(Minutes(policy, target, now));
    const auto all_of_last = [&](int wanted, auto&& holds) {
        return std::all_of(minutes.end() - wanted, minutes.end(),
                           [&](const std::optional<double>& value) { return value && holds(*value); });
    };
    // What is measured by the instance is measured as if there was one while there is none.
    const auto count_for = [&](double value) {
        const auto instances = static_cast<double>(std::max<std::int64_t>(count, 1));
        return static_cast<std::int64_t>(std::ceil(instances * value / goal - 1e-9));
    };
    if (all_of_last(kOutMinutes, [&](double value) { return value > goal; })) {
        const bool may =
            cooled("ScaleOutCooldown", target.scaled_out_at) && !suspended.value("DynamicScalingOutSuspended", false);
        if (!may) return std::optional(Wish{.count = count, .cause = ""});
        return std::optional(Wish{.count = count_for(*minutes.back()),
                                  .cause = fmt::format("policy {}: {} for {} minutes above the target {}", policy.name,
                                                       *minutes.back(), kOutMinutes, goal)});
    }
    if (!all_of_last(kInMinutes, [&](double value) { return value < goal * kInShare; })) return std::optional<Wish>();
    const bool may = cooled("ScaleInCooldown", std::max(target.scaled_in_at, target.scaled_out_at)) &&
                     !configuration.value("DisableScaleIn", false) &&
                     !suspended.value("DynamicScalingInSuspended", false);
    if (!may) return std::optional<Wish>();
    double highest = 0;
    for (const std::optional<double>& value : minutes) highest = std::max(highest, value.value_or(0));
    return std::optional(Wish{.count = count_for(highest),
                              .cause = fmt::format("policy {}: at most {} for {} minutes, below {:.0f} % of the target "
                                                   "{}",
                                                   policy.name, highest, kInMinutes, kInShare * 100, goal)});
}

Result<std::vector<std::optional<double>>> Autoscaler::Minutes(const meta::ScalingPolicy& policy,
                                                               const meta::ScalableTarget& target, UnixMillis now) {
    const Json configuration = Json::parse(policy.document);
    monitor::MetricName metric;
    std::string unit;
    std::string statistic_text = "Sum";
    if (configuration.contains("CustomizedMetricSpecification")) {
        const Json& custom = configuration["CustomizedMetricSpecification"];
        metric = {.scope = policy.scope,
                  .name_space = custom.at("Namespace").get<std::string>(),
                  .name = custom.at("MetricName").get<std::string>(),
                  .dimensions = {}};
        for (const Json& dimension : custom.value("Dimensions", Json::array()))
            metric.dimensions[dimension.at("Name").get<std::string>()] = dimension.at("Value").get<std::string>();
        statistic_text = custom.at("Statistic").get<std::string>();
        unit = custom.value("Unit", "");
    } else {
        const ScaledVariant which = ParseScaledVariant(policy.resource).value_or(ScaledVariant());
        metric = EndpointMetric({policy.scope, which.endpoint, which.variant}, "InvocationsPerInstance");
    }
    const monitor::Statistic statistic = TRY(monitor::Statistic::Parse(statistic_text));
    const UnixMillis end = now - now % kMinuteMillis;
    const UnixMillis begin = end - kInMinutes * kMinuteMillis;
    const monitor::Periods periods = TRY(options_.metrics->Read(
        {.metric = std::move(metric), .unit = unit, .from = begin, .to = end, .period_ms = kMinuteMillis}));
    // What was measured with another count says nothing about this one.
    const UnixMillis last_change = std::max(target.scaled_out_at, target.scaled_in_at);
    std::vector<std::optional<double>> minutes;
    for (UnixMillis minute = begin; minute < end; minute += kMinuteMillis) {
        const auto found = periods.by_begin.find(minute);
        const bool counts = found != periods.by_begin.end() && minute >= last_change;
        minutes.push_back(counts ? statistic.Of(found->second) : std::nullopt);
    }
    return minutes;
}

Result<void> Autoscaler::Change(meta::ScalableTarget target, const ScaledVariant& which, std::int64_t count,
                                const Wish& wish) {
    const WeightChange change{
        .variant_name = which.variant, .weight = std::nullopt, .num_instances = static_cast<int>(wish.count)};
    TRY(options_.endpoints->UpdateWeights(target.scope, which.endpoint, std::span(&change, 1)));
    const UnixMillis now = options_.clock->WallMillis();
    (wish.count > count ? target.scaled_out_at : target.scaled_in_at) = now;
    LOG_INFO("variant scaled", {"resource", target.resource}, {"from", count}, {"to", wish.count},
             {"cause", wish.cause});
    const meta::ScalingActivity activity{
        .id = NewUuid(),
        .scope = target.scope,
        .resource = target.resource,
        .time = now,
        .description = fmt::format("Setting desired instance count to {}.", wish.count),
        .cause = wish.cause,
        .successful = true};
    return rows_.AddActivity(target, activity);
}

void Autoscaler::Run(const std::stop_token& stop) {
    std::mutex waiting;
    std::unique_lock lock(waiting);
    while (!stop.stop_requested()) {
        EvaluateAll();
        wake_.wait_for(lock, stop, options_.tick, [] { return false; });
    }
}

}  // namespace espalier::hosting
