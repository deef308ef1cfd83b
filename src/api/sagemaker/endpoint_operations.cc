#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "api/sagemaker/feature_policy.h"
#include "api/sagemaker/hosting_operations.h"
#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

std::string EndpointArn(const meta::Scope& scope, const std::string& name) {
    return ArnOf(meta::ResourceKind::kEndpoint, scope, name);
}

Outcome EndpointAnswer(const meta::Scope& scope, const std::string& name) {
    return Outcome::Ok({{"EndpointArn", EndpointArn(scope, name)}});
}

/// The DeploymentConfig as a text to keep, "" when there is none.
std::string DeploymentEchoOf(const json& request) {
    return request.contains("DeploymentConfig") ? request["DeploymentConfig"].dump() : "";
}

Outcome CreateEndpoint(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    const std::string name = request["EndpointName"].get<std::string>();
    Result<void> created = hosting.Create(context.scope, name, request["EndpointConfigName"].get<std::string>(),
                                          DeploymentEchoOf(request), std::get<std::vector<meta::Tag>>(tags));
    return created ? EndpointAnswer(context.scope, name) : FailWith(created.error(), "CreateEndpoint");
}

hosting::RetainOptions RetainOf(const json& request) {
    const bool all = request.value("RetainAllVariantProperties", false);
    hosting::RetainOptions retain{.weights = all, .instance_counts = all, .capture = all};
    if (!request.contains("ExcludeRetainedVariantProperties")) return retain;
    for (const json& excluded : request["ExcludeRetainedVariantProperties"]) {
        const std::string type = excluded.at("VariantPropertyType").get<std::string>();
        if (type == "DesiredWeight") retain.weights = false;
        if (type == "DesiredInstanceCount") retain.instance_counts = false;
        if (type == "DataCaptureConfig") retain.capture = false;
    }
    return retain;
}

Outcome UpdateEndpoint(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    const std::string name = request["EndpointName"].get<std::string>();
    std::string deployment_echo = DeploymentEchoOf(request);
    if (request.value("RetainDeploymentConfig", false)) {
        auto endpoint = hosting.Find(context.scope, name);
        if (!endpoint) return FailWith(endpoint.error(), "UpdateEndpoint");
        deployment_echo = endpoint->spec.deployment_echo;
    }
    Result<void> updated = hosting.Update(context.scope, name, request["EndpointConfigName"].get<std::string>(),
                                          RetainOf(request), deployment_echo);
    return updated ? EndpointAnswer(context.scope, name) : FailWith(updated.error(), "UpdateEndpoint");
}

Outcome UpdateEndpointWeightsAndCapacities(hosting::EndpointService& hosting, const json& request,
                                           const RequestContext& context) {
    std::vector<hosting::WeightChange> changes;
    for (const json& item : request["DesiredWeightsAndCapacities"]) {
        hosting::WeightChange change{.variant_name = item.at("VariantName").get<std::string>(),
                                     .weight = std::nullopt,
                                     .num_instances = std::nullopt};
        if (item.contains("DesiredWeight")) change.weight = item["DesiredWeight"].get<double>();
        if (item.contains("DesiredInstanceCount")) change.num_instances = item["DesiredInstanceCount"].get<int>();
        if (item.contains("ServerlessUpdateConfig")) {
            const json& update = item["ServerlessUpdateConfig"];
            if (update.contains("MaxConcurrency")) change.max_concurrency = update["MaxConcurrency"].get<int>();
            if (update.contains("ProvisionedConcurrency"))
                change.provisioned_concurrency = update["ProvisionedConcurrency"].get<int>();
        }
        if (change.weight && !std::isfinite(*change.weight))
            return Outcome::ValidationError(
                fmt::format("The weight of the variant \"{}\" is not finite.", change.variant_name));
        changes.push_back(std::move(change));
    }
    const std::string name = request["EndpointName"].get<std::string>();
    Result<void> updated = hosting.UpdateWeights(context.scope, name, changes);
    return updated ? EndpointAnswer(context.scope, name)
                   : FailWith(updated.error(), "UpdateEndpointWeightsAndCapacities");
}

Outcome DeleteEndpoint(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    Result<void> deleted = hosting.Delete(context.scope, request["EndpointName"].get<std::string>());
    return deleted ? Outcome::Empty() : FailWith(deleted.error(), "DeleteEndpoint");
}

/// "<repository>@sha256:…". No image is pulled: the digest names the implementation of that version in this program.
std::string ResolvedImage(const std::string& image) {
    const std::string repository = image.substr(0, image.find_first_of(":@"));
    return fmt::format("{}@sha256:{}", repository, HexEncode(Sha256::Of("espalier built-in algorithm " + image)));
}

/// Of a variant that has `share` of its instances at the moment.
json VariantSummary(const hosting::DeployedVariant& variant, double share = 1) {
    json summary = {{"VariantName", variant.spec.name},
                    {"DeployedImages", json::array({{{"SpecifiedImage", variant.image},
                                                     {"ResolvedImage", ResolvedImage(variant.image)},
                                                     {"ResolutionTime", EpochSeconds(variant.resolved_at)}}})},
                    {"CurrentWeight", variant.spec.weight},
                    {"DesiredWeight", variant.spec.weight},
                    {"CurrentInstanceCount", static_cast<int>(std::ceil(variant.spec.num_instances * share))},
                    {"DesiredInstanceCount", variant.spec.num_instances}};
    if (variant.spec.serverless) {
        json serverless = {{"MemorySizeInMB", variant.spec.serverless->memory_mb},
                           {"MaxConcurrency", variant.spec.serverless->max_concurrency}};
        if (const int provisioned = variant.spec.serverless->provisioned_concurrency; provisioned > 0)
            serverless["ProvisionedConcurrency"] = provisioned;
        summary["CurrentServerlessConfig"] = serverless;
        summary["DesiredServerlessConfig"] = std::move(serverless);
    }
    return summary;
}

/// What an update on its way is about to make of the endpoint.
json PendingSummary(const hosting::PendingUpdate& pending) {
    const bool rolling = pending.next.deployment_echo.find("RollingUpdatePolicy") != std::string::npos;
    const bool back = !pending.rollback_reason.empty();
    json summary = {{"EndpointConfigName", pending.next.config_name}, {"StartTime", EpochSeconds(pending.started_at)}};
    const auto add = [&](const char* member, const std::vector<hosting::DeployedVariant>& variants) {
        for (const hosting::DeployedVariant& variant : variants) {
            json entry = VariantSummary(variant, rolling ? pending.share : 1);
            entry["VariantStatus"] = {{{"Status", back ? "Deleting" : "Baking"},
                                       {"StatusMessage", fmt::format("{:.0f} % of the traffic", pending.share * 100)},
                                       {"StartTime", EpochSeconds(pending.step_at)}}};
            summary[member].push_back(std::move(entry));
        }
    };
    add("ProductionVariants", pending.next.production);
    add("ShadowProductionVariants", pending.next.shadow);
    return summary;
}

Outcome DescribeEndpoint(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto endpoint = hosting.Find(context.scope, request["EndpointName"].get<std::string>());
    if (!endpoint) return FailWith(endpoint.error(), "DescribeEndpoint");
    const meta::ResourceRecord& record = endpoint->record;
    const hosting::EndpointSpec& spec = endpoint->spec;
    json answer = {{"EndpointName", record.name},
                   {"EndpointArn", EndpointArn(record.scope, record.name)},
                   {"EndpointConfigName", spec.config_name},
                   {"EndpointStatus", record.status},
                   {"CreationTime", EpochSeconds(record.created_at)},
                   {"LastModifiedTime", EpochSeconds(record.modified_at)}};
    for (const hosting::DeployedVariant& variant : spec.production)
        answer["ProductionVariants"].push_back(VariantSummary(variant));
    for (const hosting::DeployedVariant& variant : spec.shadow)
        answer["ShadowProductionVariants"].push_back(VariantSummary(variant));
    if (spec.capture) {
        const bool runs = spec.capture->enabled && record.status != "Failed";
        answer["DataCaptureConfig"] = {{"EnableCapture", spec.capture->enabled},
                                       {"CaptureStatus", runs ? "Started" : "Stopped"},
                                       {"CurrentSamplingPercentage", spec.capture->sampling_percent},
                                       {"DestinationS3Uri", spec.capture->destination_uri},
                                       {"KmsKeyId", ""}};
    }
    if (spec.async) answer["AsyncInferenceConfig"] = json::parse(spec.async->echo);
    if (spec.pending != nullptr) answer["PendingDeploymentSummary"] = PendingSummary(*spec.pending);
    if (!spec.failure_reason.empty()) answer["FailureReason"] = spec.failure_reason;
    if (!spec.deployment_echo.empty()) answer["LastDeploymentConfig"] = json::parse(spec.deployment_echo);
    return Outcome::Ok(answer);
}

Outcome ListEndpoints(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    return ListResources(
        {.operation = "ListEndpoints", .rows_member = "Endpoints", .default_max_results = 10}, request, context,
        [&](const meta::ListQuery& query) { return hosting.List(query); },
        [&](const meta::ResourceRecord& row) {
            return json{{"EndpointName", row.name},
                        {"EndpointArn", EndpointArn(row.scope, row.name)},
                        {"CreationTime", EpochSeconds(row.created_at)},
                        {"LastModifiedTime", EpochSeconds(row.modified_at)},
                        {"EndpointStatus", row.status}};
        });
}

}  // namespace

void AddEndpointOperations(OperationTable& table, hosting::EndpointService& hosting) {
    table.Add("CreateEndpoint", Bind(hosting, CreateEndpoint));
    table.Add("UpdateEndpoint", Bind(hosting, UpdateEndpoint));
    table.Add("UpdateEndpointWeightsAndCapacities", Bind(hosting, UpdateEndpointWeightsAndCapacities));
    table.Add("DeleteEndpoint", Bind(hosting, DeleteEndpoint));
    table.Add("DescribeEndpoint", Bind(hosting, DescribeEndpoint));
    table.Add("ListEndpoints", Bind(hosting, ListEndpoints));
}

}  // namespace espalier::api::sagemaker
