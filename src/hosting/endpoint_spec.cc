#include "hosting/endpoint_spec.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace espalier::hosting {

using Json = nlohmann::json;

namespace {

// An absent member is nullopt.
template <typename T>
void ReadOptional(const Json& json, const char* member, std::optional<T>& value) {
    value = json.contains(member) ? std::optional(json[member].get<T>()) : std::nullopt;
}

template <typename T>
void WriteOptional(Json& json, const char* member, const std::optional<T>& value) {
    if (value) json[member] = *value;
}

}  // namespace

// Found by nlohmann through the argument's namespace, these and the others below.
void to_json(Json& json, const ServerlessSpec& spec) {
    json = {{"memory_mb", spec.memory_mb},
            {"max_concurrency", spec.max_concurrency},
            {"provisioned_concurrency", spec.provisioned_concurrency}};
}

void from_json(const Json& json, ServerlessSpec& spec) {
    json.at("memory_mb").get_to(spec.memory_mb);
    json.at("max_concurrency").get_to(spec.max_concurrency);
    json.at("provisioned_concurrency").get_to(spec.provisioned_concurrency);
}

void to_json(Json& json, const VariantSpec& spec) {
    json = {
        {"name", spec.name}, {"model", spec.model_name}, {"weight", spec.weight}, {"instances", spec.num_instances}};
    WriteOptional(json, "serverless", spec.serverless);
}

void from_json(const Json& json, VariantSpec& spec) {
    json.at("name").get_to(spec.name);
    json.at("model").get_to(spec.model_name);
    json.at("weight").get_to(spec.weight);
    json.at("instances").get_to(spec.num_instances);
    ReadOptional(json, "serverless", spec.serverless);
}

void to_json(Json& json, const CaptureSpec& spec) {
    json = {{"enabled", spec.enabled},
            {"percent", spec.sampling_percent},
            {"destination", spec.destination_uri},
            {"input", spec.input},
            {"output", spec.output},
            {"csv_types", spec.csv_content_types},
            {"json_types", spec.json_content_types}};
}

void from_json(const Json& json, CaptureSpec& spec) {
    json.at("enabled").get_to(spec.enabled);
    json.at("percent").get_to(spec.sampling_percent);
    json.at("destination").get_to(spec.destination_uri);
    json.at("input").get_to(spec.input);
    json.at("output").get_to(spec.output);
    json.at("csv_types").get_to(spec.csv_content_types);
    json.at("json_types").get_to(spec.json_content_types);
}

void to_json(Json& json, const AsyncSpec& spec) {
    json = {{"output", spec.output_uri},
            {"failure", spec.failure_uri},
            {"concurrent", spec.concurrent_per_instance},
            {"echo", spec.echo}};
}

void from_json(const Json& json, AsyncSpec& spec) {
    json.at("output").get_to(spec.output_uri);
    json.at("failure").get_to(spec.failure_uri);
    json.at("concurrent").get_to(spec.concurrent_per_instance);
    json.at("echo").get_to(spec.echo);
}

void to_json(Json& json, const MultiModelSpec& spec) {
    json = {{"keeps_models", spec.keeps_models}};
}

void from_json(const Json& json, MultiModelSpec& spec) {
    json.at("keeps_models").get_to(spec.keeps_models);
}

void to_json(Json& json, const DeployedVariant& variant) {
    json = {{"spec", variant.spec},
            {"image", variant.image},
            {"model_data_url", variant.model_data_url},
            {"environment", variant.environment},
            {"archive", variant.archive_id},
            {"resolved_at", variant.resolved_at}};
    WriteOptional(json, "multi_model", variant.multi_model);
}

void from_json(const Json& json, DeployedVariant& variant) {
    json.at("spec").get_to(variant.spec);
    json.at("image").get_to(variant.image);
    json.at("model_data_url").get_to(variant.model_data_url);
    json.at("environment").get_to(variant.environment);
    json.at("archive").get_to(variant.archive_id);
    json.at("resolved_at").get_to(variant.resolved_at);
    ReadOptional(json, "multi_model", variant.multi_model);
}

namespace {

// Raised when a document changes in a way that an older program would misread.
constexpr int kDocumentVersion = 1;

Json ToJson(const EndpointSpec& spec) {
    Json json = {{"config", spec.config_name},
                 {"production", spec.production},
                 {"shadow", spec.shadow},
                 {"failure_reason", spec.failure_reason},
                 {"deployment_echo", spec.deployment_echo}};
    WriteOptional(json, "capture", spec.capture);
    WriteOptional(json, "async", spec.async);
    return json;
}

EndpointSpec SpecFromJson(const Json& json) {
    EndpointSpec spec{.config_name = json.at("config").get<std::string>(),
                      .production = json.at("production").get<std::vector<DeployedVariant>>(),
                      .shadow = json.at("shadow").get<std::vector<DeployedVariant>>(),
                      .capture = std::nullopt,
                      .async = std::nullopt,
                      .failure_reason = json.at("failure_reason").get<std::string>(),
                      .deployment_echo = json.at("deployment_echo").get<std::string>()};
    ReadOptional(json, "capture", spec.capture);
    ReadOptional(json, "async", spec.async);
    return spec;
}

template <typename Read>
auto ParseDocument(std::string_view document, Read&& read) -> Result<decltype(read(Json()))> {
    try {
        const Json json = Json::parse(document);
        if (json.at("version").get<int>() != kDocumentVersion)
            return Error(ErrorCode::kCorruptData, "a hosting document has a version this program does not know");
        return read(json);
    } catch (const Json::exception& error) {
        return Error(ErrorCode::kCorruptData, std::string("a hosting document is damaged: ") + error.what());
    }
}

}  // namespace

Result<void> CheckServerless(const ServerlessSpec& serverless) {
    constexpr int kMemoryStepMb = 1024;
    constexpr int kMemoryMbMax = 6144;
    if (serverless.memory_mb < kMemoryStepMb || serverless.memory_mb > kMemoryMbMax ||
        serverless.memory_mb % kMemoryStepMb != 0)
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("MemorySizeInMB must be one of 1024, 2048, 3072, 4096, 5120 and 6144: {}.",
                                 serverless.memory_mb));
    if (serverless.provisioned_concurrency > serverless.max_concurrency)
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("ProvisionedConcurrency must be less than or equal to MaxConcurrency: {} is more than "
                                 "{}.",
                                 serverless.provisioned_concurrency, serverless.max_concurrency));
    return {};
}

Result<void> CheckMemory(const VariantSpec& variant, std::uint64_t model_bytes) {
    if (!variant.serverless) return {};
    constexpr std::uint64_t kMb = 1 << 20;
    const std::uint64_t model_mb = (model_bytes + kMb - 1) / kMb;
    if (model_mb <= static_cast<std::uint64_t>(variant.serverless->memory_mb)) return {};
    return Error(ErrorCode::kResourceLimit,
                 fmt::format("The model of variant {} takes {} MB of memory, more than MemorySizeInMB {} of its "
                             "ServerlessConfig. Give it more memory, or instances.",
                             variant.name, model_mb, variant.serverless->memory_mb));
}

std::string ToDocument(const ModelSpec& spec) {
    Json json = {{"version", kDocumentVersion},     {"image", spec.image}, {"model_data_url", spec.model_data_url},
                 {"environment", spec.environment}, {"echo", spec.echo},   {"archive", spec.archive_id},
                 {"package", spec.package_arn}};
    WriteOptional(json, "multi_model", spec.multi_model);
    return json.dump();
}

std::string ToDocument(const EndpointConfigSpec& spec) {
    Json json = {
        {"version", kDocumentVersion}, {"production", spec.production}, {"shadow", spec.shadow}, {"echo", spec.echo}};
    WriteOptional(json, "capture", spec.capture);
    WriteOptional(json, "async", spec.async);
    return json.dump();
}

std::string ToDocument(const EndpointSpec& spec) {
    Json json = ToJson(spec);
    json["version"] = kDocumentVersion;
    if (spec.pending != nullptr) {
        const PendingUpdate& pending = *spec.pending;
        json["pending"] = {{"next", ToJson(pending.next)}, {"started_at", pending.started_at},
                           {"step_at", pending.step_at},   {"step", pending.step},
                           {"share", pending.share},       {"rollback_reason", pending.rollback_reason}};
    }
    // A failure reason may quote bytes of a damaged archive.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ModelSpec> ParseModelSpec(std::string_view document) {
    return ParseDocument(document, [](const Json& json) {
        ModelSpec spec{.image = json.at("image").get<std::string>(),
                       .model_data_url = json.at("model_data_url").get<std::string>(),
                       .environment = json.at("environment").get<std::map<std::string, std::string>>(),
                       .echo = json.at("echo").get<std::string>(),
                       .archive_id = json.value("archive", ""),
                       .package_arn = json.value("package", "")};
        ReadOptional(json, "multi_model", spec.multi_model);
        return spec;
    });
}

Result<EndpointConfigSpec> ParseEndpointConfigSpec(std::string_view document) {
    return ParseDocument(document, [](const Json& json) {
        EndpointConfigSpec spec{.production = json.at("production").get<std::vector<VariantSpec>>(),
                                .shadow = json.at("shadow").get<std::vector<VariantSpec>>(),
                                .capture = std::nullopt,
                                .async = std::nullopt,
                                .echo = json.at("echo").get<std::string>()};
        ReadOptional(json, "capture", spec.capture);
        ReadOptional(json, "async", spec.async);
        return spec;
    });
}

Result<EndpointSpec> ParseEndpointSpec(std::string_view document) {
    return ParseDocument(document, [](const Json& json) {
        EndpointSpec spec = SpecFromJson(json);
        if (json.contains("pending")) {
            const Json& pending = json["pending"];
            spec.pending = std::make_shared<const PendingUpdate>(
                PendingUpdate{.next = SpecFromJson(pending.at("next")),
                              .started_at = pending.at("started_at").get<UnixMillis>(),
                              .step_at = pending.at("step_at").get<UnixMillis>(),
                              .step = pending.at("step").get<std::size_t>(),
                              .share = pending.at("share").get<double>(),
                              .rollback_reason = pending.at("rollback_reason").get<std::string>()});
        }
        return spec;
    });
}

}  // namespace espalier::hosting
