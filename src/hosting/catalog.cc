#include "hosting/catalog.h"

#include <fmt/format.h>

#include <charconv>

#include "hosting/hosting_lineage.h"
#include "hosting/selectable_inference.h"
#include "meta/arn.h"
#include "store/s3_location.h"

namespace espalier::hosting {
namespace {

std::string_view NounOf(meta::ResourceKind kind) {
    switch (kind) {
        case meta::ResourceKind::kModel:
            return "model";
        case meta::ResourceKind::kEndpointConfig:
            return "endpoint configuration";
        default:
            return "endpoint";
    }
}

Error AlreadyExists(meta::ResourceKind kind, const meta::Scope& scope, std::string_view name) {
    return {ErrorCode::kAlreadyExists, fmt::format("Cannot create already existing {} \"{}\".", NounOf(kind),
                                                   meta::SageMakerArn(scope, meta::ArnKind(kind), name))};
}

/// Environment variables that change what a container does in ways this server does not have.
struct RefusedVariable {
    std::string_view name;
    std::string_view harmless_value;  ///< a value that asks for nothing
    std::string_view why;
};
constexpr RefusedVariable kRefusedVariables[] = {
    {"SAGEMAKER_PROGRAM", "", "script mode is not available; the built-in algorithm serves the model"},
    {"SAGEMAKER_SUBMIT_DIRECTORY", "", "script mode is not available; the built-in algorithm serves the model"},
    {"SAGEMAKER_MULTI_MODEL", "false", "the container's Mode says it; give Mode MultiModel"},
    {"SAGEMAKER_BATCH", "false", "it belongs to batch transform, not to an endpoint"},
};

using Environment = std::map<std::string, std::string>;

std::string ValueOf(const Environment& environment, const std::string& name) {
    auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
}

Result<void> CheckVariables(const Environment& environment, AlgorithmVersion version, bool multi_model) {
    for (const RefusedVariable& refused : kRefusedVariables) {
        const std::string value = ValueOf(environment, std::string(refused.name));
        if (value.empty() || value == refused.harmless_value) continue;
        if (multi_model && refused.name == "SAGEMAKER_MULTI_MODEL" && value == "true") continue;
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("The environment variable {} cannot be honoured: {}.", refused.name, refused.why));
    }
    if (multi_model && !ValueOf(environment, "SAGEMAKER_INFERENCE_OUTPUT").empty())
        return Error(ErrorCode::kInvalidArgument,
                     "The environment variable SAGEMAKER_INFERENCE_OUTPUT cannot be honoured: multi-model containers "
                     "have no selectable inference.");
    if (version < AlgorithmVersion::k1_0_1 && !ValueOf(environment, "SAGEMAKER_INFERENCE_OUTPUT").empty())
        return Error(
            ErrorCode::kInvalidArgument,
            "The environment variable SAGEMAKER_INFERENCE_OUTPUT cannot be honoured: images before 1.0 have no "
            "selectable inference.");
    return {};
}

/// 0 when the variable is not set.
Result<std::uint64_t> ContentBytesMax(const Environment& environment) {
    auto found = environment.find("MAX_CONTENT_LENGTH");
    if (found == environment.end()) return std::uint64_t{0};
    const std::string& text = found->second;
    std::uint64_t bytes = 0;
    auto end = std::from_chars(text.data(), text.data() + text.size(), bytes);
    if (!text.empty() && end.ec == std::errc() && end.ptr == text.data() + text.size() && bytes > 0) return bytes;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("The environment variable MAX_CONTENT_LENGTH must be a number of bytes: \"{}\".", text));
}

}  // namespace

Error NoSuchResource(meta::ResourceKind kind, const meta::Scope& scope, std::string_view name) {
    return {ErrorCode::kNotFound, fmt::format("Could not find {} \"{}\".", NounOf(kind),
                                              meta::SageMakerArn(scope, meta::ArnKind(kind), name))};
}

Result<ServedModel> ServeSettings(const std::string& image, const std::map<std::string, std::string>& environment,
                                  bool multi_model) {
    const AlgorithmVersion version = TRY(RecogniseAlgorithmImage(image));
    TRY(CheckVariables(environment, version, multi_model));
    const std::uint64_t content_bytes_max = TRY(ContentBytesMax(environment));
    const std::string accept = ValueOf(environment, "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT");
    const std::string ensemble = ValueOf(environment, "SAGEMAKER_INFERENCE_ENSEMBLE");
    return ServedModel{.model = nullptr,
                       .version = version,
                       .default_accept = accept.empty() ? "text/csv" : accept,
                       .content_bytes_max = content_bytes_max,
                       .selected_keys = ParseSelectedKeys(ValueOf(environment, "SAGEMAKER_INFERENCE_OUTPUT")),
                       .whole_ensemble = ensemble.empty() || ensemble == "true",
                       .multi_model = multi_model};
}

Catalog::Catalog(const Options& options)
    : options_(options),
      models_(*options.database, meta::ResourceKind::kModel),
      configs_(*options.database, meta::ResourceKind::kEndpointConfig) {}

Result<void> Catalog::Insert(meta::ResourceKind kind, const meta::Scope& scope, const std::string& name,
                             std::string document, std::span<const meta::Tag> tags, const meta::LineageNote& lineage) {
    const UnixMillis now = options_.clock->WallMillis();
    Result<void> inserted = TableOf(*this, kind)
                                .Insert({.scope = scope,
                                         .name = name,
                                         .created_at = now,
                                         .modified_at = now,
                                         .status = "",
                                         .document = std::move(document)},
                                        tags, lineage);
    if (!inserted && inserted.error().code() == ErrorCode::kAlreadyExists) return AlreadyExists(kind, scope, name);
    return inserted;
}

Result<void> Catalog::CreateModel(const meta::Scope& scope, const std::string& name, const ModelSpec& spec,
                                  std::span<const meta::Tag> tags) {
    // A taken name is told before anything about the data, which may be gone by the time a script is run again.
    if (TRY(models_.ExistsFolded(scope, name))) return AlreadyExists(meta::ResourceKind::kModel, scope, name);
    TRY(ServeSettings(spec.image, spec.environment, spec.multi_model.has_value()));
    const store::S3Location location = TRY(store::ParseS3Location(spec.model_data_url));
    ModelSpec checked = spec;
    if (spec.multi_model)
        TRY(CheckPrefix(location));
    else
        checked.archive_id = TRY(options_.shelf->LoadUnshelved(location)).archive_id;
    return Insert(meta::ResourceKind::kModel, scope, name, ToDocument(checked), tags,
                  LineageOfModel(scope, name, checked, options_.clock->WallMillis()));
}

Result<void> Catalog::CheckPrefix(const store::S3Location& prefix) const {
    const auto bucket = store::BucketName::Parse(prefix.bucket);
    if (!bucket) return NoModelData(prefix);
    const auto listing =
        options_.objects->List(*bucket, {.prefix = prefix.key, .delimiter = "", .start_after = "", .max_keys = 1});
    if (!listing && listing.error().code() != ErrorCode::kNotFound)
        return Error(ErrorCode::kIo, listing.error().ToString());
    if (!listing || listing->objects.empty()) return NoModelData(prefix);
    return {};
}

Result<void> Catalog::CheckModels(const meta::Scope& scope, const EndpointConfigSpec& spec) const {
    std::optional<std::pair<std::string, bool>> first;  // a variant, and whether its model is multi-model
    for (const std::vector<VariantSpec>* variants : {&spec.production, &spec.shadow}) {
        for (const VariantSpec& variant : *variants) {
            const Model model = TRY(FindModel(scope, variant.model_name));
            const bool multi_model = model.spec.multi_model.has_value();
            if (multi_model && spec.async)
                return Error(ErrorCode::kInvalidArgument,
                             fmt::format("Asynchronous endpoints do not support multi-model containers, and the model "
                                         "{} of variant {} is one.",
                                         variant.model_name, variant.name));
            if (multi_model && variant.serverless)
                return Error(ErrorCode::kInvalidArgument,
                             fmt::format("Serverless variants do not support multi-model containers, and the model {} "
                                         "of variant {} is one.",
                                         variant.model_name, variant.name));
            if (!first) first = {variant.name, multi_model};
            if (first->second != multi_model)
                return Error(ErrorCode::kInvalidArgument,
                             fmt::format("The model of variant {} is {} and that of variant {} is not: the models of "
                                         "an endpoint must have the same Mode, since every request names a target "
                                         "model or none does.",
                                         first->second ? first->first : variant.name, "MultiModel",
                                         first->second ? variant.name : first->first));
        }
    }
    return {};
}

Result<void> Catalog::CheckCaptureDestination(const CaptureSpec& capture) const {
    const store::S3Location location = TRY(store::ParseS3Location(capture.destination_uri));
    auto bucket = store::BucketName::Parse(location.bucket);
    Result<store::BucketInfo> found =
        bucket ? options_.objects->HeadBucket(*bucket) : Result<store::BucketInfo>(std::move(bucket).error());
    if (found) return {};
    if (found.error().code() != ErrorCode::kNotFound && found.error().code() != ErrorCode::kInvalidArgument)
        return std::move(found).error();
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("The data capture destination {} names a bucket that does not exist: {}.",
                             capture.destination_uri, location.bucket));
}

Result<void> Catalog::CreateEndpointConfig(const meta::Scope& scope, const std::string& name,
                                           const EndpointConfigSpec& spec, std::span<const meta::Tag> tags) {
    if (TRY(configs_.ExistsFolded(scope, name))) return AlreadyExists(meta::ResourceKind::kEndpointConfig, scope, name);
    TRY(CheckModels(scope, spec));
    if (spec.capture) TRY(CheckCaptureDestination(*spec.capture));
    return Insert(meta::ResourceKind::kEndpointConfig, scope, name, ToDocument(spec), tags);
}

Result<meta::ResourceRecord> Catalog::Find(meta::ResourceKind kind, const meta::Scope& scope,
                                           const std::string& name) const {
    std::optional<meta::ResourceRecord> record = TRY(TableOf(*this, kind).Find(scope, name));
    if (!record) return NoSuchResource(kind, scope, name);
    return *std::move(record);
}

Result<Catalog::Model> Catalog::FindModel(const meta::Scope& scope, const std::string& name) const {
    meta::ResourceRecord record = TRY(Find(meta::ResourceKind::kModel, scope, name));
    ModelSpec spec = TRY(ParseModelSpec(record.document));
    return Model{std::move(record), std::move(spec)};
}

Result<Catalog::Config> Catalog::FindEndpointConfig(const meta::Scope& scope, const std::string& name) const {
    meta::ResourceRecord record = TRY(Find(meta::ResourceKind::kEndpointConfig, scope, name));
    EndpointConfigSpec spec = TRY(ParseEndpointConfigSpec(record.document));
    return Config{std::move(record), std::move(spec)};
}

Result<void> Catalog::Delete(meta::ResourceKind kind, const meta::Scope& scope, const std::string& name) {
    Result<void> deleted = TableOf(*this, kind).Delete(scope, name);
    if (!deleted && deleted.error().code() == ErrorCode::kNotFound) return NoSuchResource(kind, scope, name);
    return deleted;
}

Result<meta::ResourcePage> Catalog::List(meta::ResourceKind kind, const meta::ListQuery& query) const {
    return TableOf(*this, kind).List(query);
}

}  // namespace espalier::hosting
