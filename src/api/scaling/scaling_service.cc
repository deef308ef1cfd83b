#include "api/scaling/scaling_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "api/metrics/alarm_operations.h"
#include "api/sagemaker/validation.h"
#include "base/encoding.h"
#include "hosting/step_scaling.h"
#include "meta/arn.h"

namespace espalier::api::scaling {
namespace {

using nlohmann::json;

constexpr const char* kDimension = "sagemaker:variant:DesiredInstanceCount";
constexpr std::size_t kPageMax = 50;
constexpr const char* kStep = "StepScaling";
constexpr const char* kTracking = "TargetTrackingScaling";

const char* ConfigurationMember(bool is_step) {
    return is_step ? "StepScalingPolicyConfiguration" : "TargetTrackingScalingPolicyConfiguration";
}

std::string TargetArn(const meta::ScalableTarget& target) {
    return fmt::format("arn:{}:application-autoscaling:{}:{}:scalable-target/{:016x}",
                       meta::PartitionOf(target.scope.region), target.scope.region, target.scope.account,
                       std::hash<std::string>{}(target.resource));
}

std::string PolicyArn(const meta::Scope& scope, const std::string& resource, const std::string& name,
                      const std::string& id) {
    return fmt::format("arn:{}:autoscaling:{}:{}:scalingPolicy:{}:resource/sagemaker/{}:policyName/{}",
                       meta::PartitionOf(scope.region), scope.region, scope.account, id, resource, name);
}

Outcome FailWith(const Error& error, std::string_view operation) {
    if (error.code() == ErrorCode::kInvalidArgument) return Outcome::ValidationError(error.message());
    if (error.code() == ErrorCode::kNotFound)
        return Outcome::Fail({.type = "ObjectNotFoundException", .message = error.message()});
    return Outcome::Internal(error, operation);
}

/// A sentence for a request about something that does not scale here.
std::optional<std::string> ForeignRequest(const json& request) {
    if (request["ServiceNamespace"] != "sagemaker")
        return "ServiceNamespace must be sagemaker: nothing else scales here.";
    if (request.value("ScalableDimension", kDimension) != kDimension)
        return fmt::format("ScalableDimension must be {}.", kDimension);
    return std::nullopt;
}

Outcome Register(hosting::Autoscaler& autoscaler, const json& request, const meta::Scope& scope) {
    if (request.contains("Tags") && !request["Tags"].empty())
        return Outcome::ValidationError("Tags is not supported: scalable targets have no tags.");
    std::optional<std::int64_t> bounds[2];
    const char* const members[2] = {"MinCapacity", "MaxCapacity"};
    for (int i = 0; i < 2; ++i)
        if (request.contains(members[i])) bounds[i] = request[members[i]].get<std::int64_t>();
    const std::string resource = request["ResourceId"].get<std::string>();
    Result<void> done = autoscaler.Register(scope, resource, bounds[0], bounds[1], request);
    // The published error for a resource that is not there is ValidationException.
    if (!done && done.error().code() == ErrorCode::kNotFound) return Outcome::ValidationError(done.error().message());
    if (!done) return FailWith(done.error(), "RegisterScalableTarget");
    const meta::ScalableTarget target{.scope = scope, .resource = resource, .document = {}};
    return Outcome::Ok({{"ScalableTargetARN", TargetArn(target)}});
}

Outcome Deregister(hosting::Autoscaler& autoscaler, const json& request, const meta::Scope& scope) {
    const std::string resource = request["ResourceId"].get<std::string>();
    Result<bool> deleted = autoscaler.rows().DeleteTarget(scope, resource);
    if (!deleted) return Outcome::Internal(deleted.error(), "DeregisterScalableTarget");
    if (*deleted) return Outcome::Ok(json::object());
    return Outcome::Fail(
        {.type = "ObjectNotFoundException", .message = fmt::format("No scalable target found for {}.", resource)});
}

json TargetJson(const meta::ScalableTarget& target) {
    const json document = json::parse(target.document);
    json state = {{"DynamicScalingInSuspended", false},
                  {"DynamicScalingOutSuspended", false},
                  {"ScheduledScalingSuspended", false}};
    state.update(document.value("SuspendedState", json::object()));
    const std::string role = fmt::format("arn:{}:iam::{}:role/LocalSageMakerRole",
                                         meta::PartitionOf(target.scope.region), target.scope.account);
    return {{"ServiceNamespace", "sagemaker"},
            {"ResourceId", target.resource},
            {"ScalableDimension", kDimension},
            {"MinCapacity", target.minimum},
            {"MaxCapacity", target.maximum},
            {"RoleARN", document.value("RoleARN", role)},
            {"CreationTime", EpochSeconds(target.created_at)},
            {"SuspendedState", std::move(state)},
            {"ScalableTargetARN", TargetArn(target)}};
}

Outcome DescribeTargets(hosting::Autoscaler& autoscaler, const json& request, const meta::Scope& scope) {
    const std::size_t limit = std::min(request.value("MaxResults", kPageMax), kPageMax);
    json answer = {{"ScalableTargets", json::array()}};
    if (request.contains("ResourceIds") && !request["ResourceIds"].empty()) {
        for (const json& resource : request["ResourceIds"]) {
            auto target = autoscaler.rows().FindTarget(scope, resource.get<std::string>());
            if (!target) return Outcome::Internal(target.error(), "DescribeScalableTargets");
            if (*target) answer["ScalableTargets"].push_back(TargetJson(**target));
        }
        return Outcome::Ok(answer);
    }
    auto targets = autoscaler.rows().Targets(scope, request.value("NextToken", ""), limit + 1);
    if (!targets) return Outcome::Internal(targets.error(), "DescribeScalableTargets");
    for (std::size_t i = 0; i < std::min(limit, targets->size()); ++i)
        answer["ScalableTargets"].push_back(TargetJson((*targets)[i]));
    if (targets->size() > limit) answer["NextToken"] = (*targets)[limit - 1].resource;
    return Outcome::Ok(answer);
}

Outcome PutPolicy(hosting::Autoscaler& autoscaler, const json& request, const meta::Scope& scope) {
    const std::string type = request.value("PolicyType", kStep);
    if (type != kTracking && type != kStep)
        return Outcome::ValidationError(
            fmt::format("PolicyType {} is not available: there are {} and {}.", type, kStep, kTracking));
    const char* const wanted = ConfigurationMember(type == kStep);
    const char* const other = ConfigurationMember(type != kStep);
    if (!request.contains(wanted) || request.contains(other))
        return Outcome::ValidationError(
            fmt::format("A policy of type {} needs {}, and nothing of another type.", type, wanted));
    const std::string resource = request["ResourceId"].get<std::string>();
    const std::string name = request["PolicyName"].get<std::string>();
    Result<std::string> id = autoscaler.PutPolicy(scope, resource, name, request[wanted]);
    if (!id) return FailWith(id.error(), "PutScalingPolicy");
    return Outcome::Ok({{"PolicyARN", PolicyArn(scope, resource, name, *id)}, {"Alarms", json::array()}});
}

json AlarmJson(const meta::AlarmRecord& alarm) {
    return {{"AlarmName", alarm.name}, {"AlarmARN", metrics::AlarmArn(alarm.scope, alarm.name)}};
}

json PolicyJson(const meta::ScalingPolicy& policy, const std::vector<meta::AlarmRecord>& alarms) {
    const json configuration = json::parse(policy.document);
    const bool is_step = hosting::IsStepPolicy(configuration);
    json entries = json::array();
    for (const meta::AlarmRecord& alarm : alarms) entries.push_back(AlarmJson(alarm));
    return {{"PolicyARN", PolicyArn(policy.scope, policy.resource, policy.name, policy.id)},
            {"PolicyName", policy.name},
            {"ServiceNamespace", "sagemaker"},
            {"ResourceId", policy.resource},
            {"ScalableDimension", kDimension},
            {"PolicyType", is_step ? kStep : kTracking},
            {ConfigurationMember(is_step), configuration},
            {"Alarms", std::move(entries)},
            {"CreationTime", EpochSeconds(policy.created_at)}};
}

Outcome DescribePolicies(hosting::Autoscaler& autoscaler, const json& request, const meta::Scope& scope) {
    const std::size_t limit = std::min(request.value("MaxResults", kPageMax), kPageMax);
    const json names = request.value("PolicyNames", json::array());
    // A token is "<resource>\n<name>" of the last policy.
    std::string after;
    if (request.contains("NextToken")) {
        const auto decoded = Base64Decode(request["NextToken"].get<std::string>());
        if (!decoded || decoded->find('\n') == std::string::npos)
            return Outcome::Fail(
                {.type = "InvalidNextTokenException", .message = "The NextToken is not one of this operation."});
        after = *decoded;
    }
    const std::size_t middle = std::min(after.find('\n'), after.size());
    auto policies = autoscaler.rows().Policies(scope, request.value("ResourceId", ""), after.substr(0, middle),
                                               middle < after.size() ? after.substr(middle + 1) : "", limit + 1);
    if (!policies) return Outcome::Internal(policies.error(), "DescribeScalingPolicies");
    json answer = {{"ScalingPolicies", json::array()}};
    for (std::size_t i = 0; i < std::min(limit, policies->size()); ++i) {
        const meta::ScalingPolicy& policy = (*policies)[i];
        if (!names.empty() && std::find(names.begin(), names.end(), policy.name) == names.end()) continue;
        auto alarms = autoscaler.AlarmsOf(policy, "");
        if (!alarms) return Outcome::Internal(alarms.error(), "DescribeScalingPolicies");
        answer["ScalingPolicies"].push_back(PolicyJson(policy, *alarms));
    }
    if (policies->size() > limit) {
        const meta::ScalingPolicy& last = (*policies)[limit - 1];
        answer["NextToken"] = Base64Encode(last.resource + "\n" + last.name);
    }
    return Outcome::Ok(answer);
}

Outcome DeletePolicy(hosting::Autoscaler& autoscaler, const json& request, const meta::Scope& scope) {
    const std::string name = request["PolicyName"].get<std::string>();
    Result<bool> deleted = autoscaler.rows().DeletePolicy(scope, request["ResourceId"].get<std::string>(), name);
    if (!deleted) return Outcome::Internal(deleted.error(), "DeleteScalingPolicy");
    if (*deleted) return Outcome::Ok(json::object());
    return Outcome::Fail(
        {.type = "ObjectNotFoundException", .message = fmt::format("No scaling policy found named {}.", name)});
}

Outcome DescribeActivities(hosting::Autoscaler& autoscaler, const json& request, const meta::Scope& scope) {
    auto activities = autoscaler.rows().Activities(scope, request.value("ResourceId", ""));
    if (!activities) return Outcome::Internal(activities.error(), "DescribeScalingActivities");
    const std::size_t limit = std::min(request.value("MaxResults", kPageMax), kPageMax);
    // A token is the id of the last activity.
    const std::string after = request.value("NextToken", "");
    auto begin = activities->begin();
    if (!after.empty()) {
        begin = std::find_if(begin, activities->end(), [&](const auto& each) { return each.id == after; });
        if (begin == activities->end())
            return Outcome::Fail(
                {.type = "InvalidNextTokenException", .message = "The NextToken is not one of this operation."});
        ++begin;
    }
    json answer = {{"ScalingActivities", json::array()}};
    for (auto each = begin; each != activities->end() && answer["ScalingActivities"].size() < limit; ++each) {
        answer["ScalingActivities"].push_back({{"ActivityId", each->id},
                                               {"ServiceNamespace", "sagemaker"},
                                               {"ResourceId", each->resource},
                                               {"ScalableDimension", kDimension},
                                               {"Description", each->description},
                                               {"Cause", each->cause},
                                               {"StartTime", EpochSeconds(each->time)},
                                               {"EndTime", EpochSeconds(each->time)},
                                               {"StatusCode", each->successful ? "Successful" : "Failed"}});
        if (answer["ScalingActivities"].size() == limit && std::next(each) != activities->end())
            answer["NextToken"] = each->id;
    }
    return Outcome::Ok(answer);
}

struct Row {
    std::string_view name;
    Outcome (*operation)(hosting::Autoscaler&, const json&, const meta::Scope&);
};
constexpr Row kOperations[] = {{"RegisterScalableTarget", Register},
                               {"DeregisterScalableTarget", Deregister},
                               {"DescribeScalableTargets", DescribeTargets},
                               {"PutScalingPolicy", PutPolicy},
                               {"DescribeScalingPolicies", DescribePolicies},
                               {"DeleteScalingPolicy", DeletePolicy},
                               {"DescribeScalingActivities", DescribeActivities}};

}  // namespace

ScalingService::ScalingService(hosting::Autoscaler& autoscaler)
    : model_(sagemaker::ServiceModel::Load(sagemaker::kScalingModelJson)), autoscaler_(autoscaler) {}

void ScalingService::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string) {
    auto parsed = ParseJsonBody(exchange->body());
    if (const auto* error = std::get_if<WireError>(&parsed))
        return SendOutcome(*exchange, kScalingProtocol, Outcome::Fail(*error));
    const meta::Scope scope = {.account = principal.account_id, .region = principal.region};
    SendOutcome(*exchange, kScalingProtocol,
                Answer(OperationOf(exchange->head(), kScalingProtocol), std::move(std::get<json>(parsed)), scope));
}

Outcome ScalingService::Answer(std::string_view operation, json request, const meta::Scope& scope) const {
    const auto row = std::find_if(std::begin(kOperations), std::end(kOperations),
                                  [&](const Row& each) { return each.name == operation; });
    if (row == std::end(kOperations))
        return Outcome::Fail({.type = "UnknownOperationException",
                              .message = fmt::format("The requested operation is not supported: {}", operation)});
    if (const std::optional<WireError> error = sagemaker::Validate(*model_.InputOf(operation), request))
        return Outcome::Fail(*error);
    if (std::optional<std::string> foreign = ForeignRequest(request))
        return Outcome::ValidationError(std::move(*foreign));
    return row->operation(autoscaler_, request, scope);
}

}  // namespace espalier::api::scaling
