#include "hosting/rollout_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace espalier::hosting {
namespace {

using Json = nlohmann::json;

struct SizeLimits {
    const char* member;
    int percent_min;
    int percent_max;
};
constexpr SizeLimits kCanary = {"CanarySize", 1, 50};
constexpr SizeLimits kLinear = {"LinearStepSize", 10, 50};
constexpr SizeLimits kBatch = {"MaximumBatchSize", 5, 50};
constexpr SizeLimits kBackBatch = {"RollbackMaximumBatchSize", 5, 100};

Error Invalid(std::string message) {
    return {ErrorCode::kInvalidArgument, std::move(message)};
}

/// A CapacitySize as a share of the whole.
Result<double> ShareOf(const Json& owner, const SizeLimits& limits, int num_instances) {
    if (!owner.contains(limits.member)) return Invalid(fmt::format("{} is required.", limits.member));
    const Json& size = owner[limits.member];
    const int value = size.at("Value").get<int>();
    const bool counts = size.at("Type").get<std::string>() == "INSTANCE_COUNT";
    const double share = counts ? static_cast<double>(value) / num_instances : value / 100.0;
    if (share * 100 < limits.percent_min || share * 100 > limits.percent_max)
        return Invalid(fmt::format("{} must be {} to {} % of the variant's {} instance{}.", limits.member,
                                   limits.percent_min, limits.percent_max, num_instances,
                                   num_instances == 1 ? "" : "s"));
    return share;
}

UnixMillis SecondsOf(const Json& owner, const char* member) {
    return owner.value(member, UnixMillis{0}) * 1000;
}

/// Steps of `batch` until all is moved.
std::vector<RolloutStep> StepsOf(double batch, UnixMillis wait_ms) {
    constexpr double kAlmostAll = 1 - 1e-9;
    std::vector<RolloutStep> steps;
    for (int n = 1; n * batch < kAlmostAll; ++n) steps.push_back({.share = n * batch, .wait_ms = wait_ms});
    steps.push_back({.share = 1, .wait_ms = wait_ms});
    return steps;
}

Result<void> ReadBlueGreen(const Json& policy, int num_instances, RolloutPlan& plan) {
    const Json& routing = policy.at("TrafficRoutingConfiguration");
    const std::string type = routing.at("Type").get<std::string>();
    const UnixMillis wait_ms = SecondsOf(routing, "WaitIntervalInSeconds");
    for (const auto& [member, wanted] : {std::pair("CanarySize", "CANARY"), std::pair("LinearStepSize", "LINEAR")})
        if (routing.contains(member) && type != wanted)
            return Invalid(fmt::format("{} does not belong to traffic routing of type {}.", member, type));
    if (type == "CANARY") {
        const double share = TRY(ShareOf(routing, kCanary, num_instances));
        plan.forward = {{.share = share, .wait_ms = wait_ms}, {.share = 1, .wait_ms = 0}};
    } else if (type == "LINEAR") {
        const double share = TRY(ShareOf(routing, kLinear, num_instances));
        plan.forward = StepsOf(share, wait_ms);
    }
    plan.forward.back().wait_ms = SecondsOf(policy, "TerminationWaitInSeconds");
    plan.timeout_ms = SecondsOf(policy, "MaximumExecutionTimeoutInSeconds");
    return {};
}

Result<void> ReadRolling(const Json& policy, int num_instances, RolloutPlan& plan) {
    const double batch = TRY(ShareOf(policy, kBatch, num_instances));
    plan.rolling = true;
    plan.forward = StepsOf(batch, SecondsOf(policy, "WaitIntervalInSeconds"));
    plan.back_wait_ms = SecondsOf(policy, "WaitIntervalInSeconds");
    if (policy.contains("RollbackMaximumBatchSize")) plan.back_batch = TRY(ShareOf(policy, kBackBatch, num_instances));
    plan.timeout_ms = SecondsOf(policy, "MaximumExecutionTimeoutInSeconds");
    return {};
}

}  // namespace

Result<RolloutPlan> PlanRollout(const std::string& deployment_config, int num_instances) {
    RolloutPlan plan;
    if (deployment_config.empty()) return plan;
    const Json config = Json::parse(deployment_config, nullptr, /*allow_exceptions=*/false);
    if (!config.is_object()) return Invalid("DeploymentConfig is no object.");
    const bool blue_green = config.contains("BlueGreenUpdatePolicy");
    const bool rolling = config.contains("RollingUpdatePolicy");
    if (blue_green && rolling) return Invalid("Give BlueGreenUpdatePolicy or RollingUpdatePolicy, not both.");
    if (blue_green) TRY(ReadBlueGreen(config["BlueGreenUpdatePolicy"], num_instances, plan));
    if (rolling) TRY(ReadRolling(config["RollingUpdatePolicy"], num_instances, plan));
    UnixMillis wait_ms = 0;
    for (const RolloutStep& step : plan.forward) wait_ms += step.wait_ms;
    if (plan.timeout_ms > 0 && plan.timeout_ms <= wait_ms)
        return Invalid(
            fmt::format("MaximumExecutionTimeoutInSeconds must be more than the {} seconds that the steps "
                        "wait in all.",
                        wait_ms / 1000));
    for (const Json& alarm : config.value("AutoRollbackConfiguration", Json::object()).value("Alarms", Json::array()))
        if (alarm.contains("AlarmName")) plan.alarms.push_back(alarm["AlarmName"].get<std::string>());
    return plan;
}

}  // namespace espalier::hosting
