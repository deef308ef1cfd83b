#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "api/sagemaker/feature_policy.h"
#include "api/sagemaker/hosting_operations.h"
#include "store/names.h"
#include "store/s3_location.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr CatalogKind kEndpointConfigs = {
    .kind = meta::ResourceKind::kEndpointConfig,
    .name_member = "EndpointConfigName",
    .arn_member = "EndpointConfigArn",
    .delete_operation = "DeleteEndpointConfig",
    .list = {.operation = "ListEndpointConfigs", .rows_member = "EndpointConfigs", .default_max_results = 100}};

/// ServerlessConfig of a variant. A sentence in `problem` for what does not go with it.
hosting::ServerlessSpec ServerlessOf(const json& variant, std::string& problem) {
    const json& config = variant["ServerlessConfig"];
    hosting::ServerlessSpec serverless{.memory_mb = config.at("MemorySizeInMB").get<int>(),
                                       .max_concurrency = config.at("MaxConcurrency").get<int>(),
                                       .provisioned_concurrency = config.value("ProvisionedConcurrency", 0)};
    for (const char* member : {"InstanceType", "InitialInstanceCount", "AcceleratorType", "VolumeSizeInGB",
                               "RoutingConfig", "VariantInstanceProvisionTimeoutInSeconds", "InferenceAmiVersion"}) {
        if (variant.contains(member))
            problem = fmt::format("The variant \"{}\" has ServerlessConfig: {} cannot be given beside it.",
                                  variant.at("VariantName").get<std::string>(), member);
    }
    if (Result<void> checked = hosting::CheckServerless(serverless); !checked) problem = checked.error().ToString();
    return serverless;
}

/// Empty, or why a configuration with a serverless variant has something that AWS's serverless inference has not.
std::string ServerlessIssue(const json& request, const hosting::EndpointConfigSpec& spec) {
    const auto is_serverless = [](const hosting::VariantSpec& variant) { return variant.serverless.has_value(); };
    if (std::any_of(spec.shadow.begin(), spec.shadow.end(), is_serverless))
        return "ServerlessConfig cannot be given for a shadow variant.";
    if (std::none_of(spec.production.begin(), spec.production.end(), is_serverless)) return {};
    std::string what;
    if (spec.production.size() > 1) what = "several production variants";
    if (!spec.shadow.empty()) what = "ShadowProductionVariants";
    if (spec.capture) what = "DataCaptureConfig";
    if (spec.async) what = "AsyncInferenceConfig";
    if (request.value("EnableNetworkIsolation", false)) what = "EnableNetworkIsolation";
    if (what.empty()) return {};
    return fmt::format("A serverless endpoint does not support {}.", what);
}

/// The variants of one list. A sentence in `problem` for what the published shape cannot say.
std::vector<hosting::VariantSpec> VariantsOf(const json& request, const char* member, std::set<std::string>& names,
                                             std::string& problem) {
    std::vector<hosting::VariantSpec> variants;
    if (!request.contains(member)) return variants;
    for (const json& item : request[member]) {
        hosting::VariantSpec variant{.name = item.at("VariantName").get<std::string>(),
                                     .model_name = item.value("ModelName", ""),
                                     .weight = item.value("InitialVariantWeight", 1.0),
                                     .num_instances = item.value("InitialInstanceCount", 0)};
        if (item.contains("ServerlessConfig")) variant.serverless = ServerlessOf(item, problem);
        if (!names.insert(variant.name).second) {
            problem = fmt::format("The variant name \"{}\" is used more than once.", variant.name);
        } else if (variant.model_name.empty()) {
            problem = fmt::format("The variant \"{}\" needs ModelName.", variant.name);
        } else if (!variant.serverless && (variant.num_instances < 1 || !item.contains("InstanceType"))) {
            problem = fmt::format(
                "The variant \"{}\" needs InstanceType and InitialInstanceCount, or ServerlessConfig.", variant.name);
        } else if (!std::isfinite(variant.weight)) {
            problem = fmt::format("The weight of the variant \"{}\" is not finite.", variant.name);
        }
        variants.push_back(std::move(variant));
    }
    return variants;
}

std::optional<hosting::CaptureSpec> CaptureOf(const json& request) {
    if (!request.contains("DataCaptureConfig")) return std::nullopt;
    const json& config = request["DataCaptureConfig"];
    hosting::CaptureSpec capture{.enabled = config.value("EnableCapture", true),
                                 .sampling_percent = config.at("InitialSamplingPercentage").get<int>(),
                                 .destination_uri = config.at("DestinationS3Uri").get<std::string>(),
                                 .input = false,
                                 .output = false,
                                 .csv_content_types = {},
                                 .json_content_types = {}};
    for (const json& option : config.at("CaptureOptions")) {
        const std::string mode = option.at("CaptureMode").get<std::string>();
        capture.input = capture.input || mode == "Input" || mode == "InputAndOutput";
        capture.output = capture.output || mode == "Output" || mode == "InputAndOutput";
    }
    if (config.contains("CaptureContentTypeHeader")) {
        const json& types = config["CaptureContentTypeHeader"];
        capture.csv_content_types = types.value("CsvContentTypes", std::vector<std::string>());
        capture.json_content_types = types.value("JsonContentTypes", std::vector<std::string>());
    }
    return capture;
}

std::optional<hosting::AsyncSpec> AsyncOf(const json& request) {
    if (!request.contains("AsyncInferenceConfig")) return std::nullopt;
    const json& config = request["AsyncInferenceConfig"];
    const json& output = config.at("OutputConfig");
    return hosting::AsyncSpec{
        .output_uri = output.value("S3OutputPath", ""),
        .failure_uri = output.value("S3FailurePath", ""),
        .concurrent_per_instance =
            config.value("ClientConfig", json::object()).value("MaxConcurrentInvocationsPerInstance", 0),
        .echo = config.dump()};
}

/// What is wrong with asynchronous inference beside the rest of the configuration; "" = nothing.
std::string AsyncProblem(const json& request, const hosting::AsyncSpec& async) {
    if (async.output_uri.empty()) return "AsyncInferenceConfig needs OutputConfig.S3OutputPath.";
    if (request.contains("ShadowProductionVariants"))
        return "ShadowProductionVariants is not supported together with AsyncInferenceConfig.";
    for (const std::string* uri : {&async.output_uri, &async.failure_uri}) {
        if (uri->empty()) continue;
        const Result<void> is_place = [&]() -> Result<void> {
            TRY(store::BucketName::Parse(TRY(store::ParseS3Location(*uri)).bucket));
            return {};
        }();
        if (!is_place) return fmt::format("AsyncInferenceConfig: {}: {}", *uri, is_place.error().ToString());
    }
    return "";
}

Outcome CreateEndpointConfig(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    if (auto refused = FindRefusedMember("CreateEndpointConfig", request))
        return Outcome::ValidationError(std::move(*refused));
    std::set<std::string> names;
    std::string problem;
    hosting::EndpointConfigSpec spec{.production = VariantsOf(request, "ProductionVariants", names, problem),
                                     .shadow = {},
                                     .capture = CaptureOf(request),
                                     .async = AsyncOf(request),
                                     .echo = ""};
    if (problem.empty() && spec.async) problem = AsyncProblem(request, *spec.async);
    if (problem.empty()) spec.shadow = VariantsOf(request, "ShadowProductionVariants", names, problem);
    if (problem.empty()) problem = ServerlessIssue(request, spec);
    if (!problem.empty()) return Outcome::ValidationError(std::move(problem));
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    json echo = request;
    echo.erase("Tags");
    spec.echo = echo.dump();
    const std::string name = request["EndpointConfigName"].get<std::string>();
    Result<void> created =
        hosting.catalog().CreateEndpointConfig(context.scope, name, spec, std::get<std::vector<meta::Tag>>(tags));
    if (!created) return FailWith(created.error(), "CreateEndpointConfig");
    return Outcome::Ok({{"EndpointConfigArn", ArnOf(kEndpointConfigs.kind, context.scope, name)}});
}

Outcome DescribeEndpointConfig(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto config = hosting.catalog().FindEndpointConfig(context.scope, request["EndpointConfigName"].get<std::string>());
    if (!config) return FailWith(config.error(), "DescribeEndpointConfig");
    json answer = json::parse(config->spec.echo);
    for (const char* member : {"ProductionVariants", "ShadowProductionVariants"}) {
        if (!answer.contains(member)) continue;
        for (json& variant : answer[member])
            variant["InitialVariantWeight"] = variant.value("InitialVariantWeight", 1.0);
    }
    if (answer.contains("DataCaptureConfig")) answer["DataCaptureConfig"].emplace("EnableCapture", true);
    answer["EndpointConfigArn"] = ArnOf(kEndpointConfigs.kind, context.scope, config->record.name);
    answer["CreationTime"] = EpochSeconds(config->record.created_at);
    answer.emplace("EnableNetworkIsolation", false);
    return Outcome::Ok(answer);
}

Outcome DeleteEndpointConfig(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    return DeleteFromCatalog(hosting, kEndpointConfigs, request, context);
}

Outcome ListEndpointConfigs(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    return ListCatalog(hosting, kEndpointConfigs, request, context);
}

}  // namespace

void AddEndpointConfigOperations(OperationTable& table, hosting::EndpointService& hosting) {
    table.Add("CreateEndpointConfig", Bind(hosting, CreateEndpointConfig));
    table.Add("DescribeEndpointConfig", Bind(hosting, DescribeEndpointConfig));
    table.Add("DeleteEndpointConfig", Bind(hosting, DeleteEndpointConfig));
    table.Add("ListEndpointConfigs", Bind(hosting, ListEndpointConfigs));
}

}  // namespace espalier::api::sagemaker
