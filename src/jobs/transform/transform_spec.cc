#include "jobs/transform/transform_spec.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "jobs/channels.h"
#include "store/names.h"

namespace espalier::jobs {
namespace {

using nlohmann::json;

constexpr std::int64_t kDefaultPayloadMb = 6;
constexpr std::int64_t kPayloadMbMax = 100;
constexpr std::uint64_t kManifestBytesMax = 64 << 20;

Error Refuse(std::string sentence) {
    return Error(ErrorCode::kInvalidArgument, std::move(sentence));
}

Result<store::S3Location> Locate(const std::string& uri, std::string_view member) {
    auto location = store::ParseS3Location(uri);
    if (!location || !store::BucketName::Parse(location->bucket)) {
        return Refuse(fmt::format("{}: {} is not an S3 location.", member, uri));
    }
    return location;
}

bool IsType(const std::string& content_type, std::string_view type) {
    return content_type == type || content_type.starts_with(fmt::format("{};", type));
}

Result<void> ParseInput(const json& input, TransformSpec& spec) {
    const json source = input.at("DataSource").value("S3DataSource", json::object());
    const std::string type = source.value("S3DataType", "");
    if (type != "S3Prefix" && type != "ManifestFile") {
        return Refuse(
            fmt::format("TransformInput: S3DataType {} is not supported. Use S3Prefix or ManifestFile.", type));
    }
    spec.by_manifest = type == "ManifestFile";
    spec.input = TRY(Locate(source.value("S3Uri", ""), "TransformInput.DataSource.S3DataSource.S3Uri"));
    spec.content_type = input.value("ContentType", "");
    spec.gzip = input.value("CompressionType", "None") == "Gzip";
    const std::string split = input.value("SplitType", "None");
    if (split == "TFRecord") {
        return Refuse(
            "TransformInput: SplitType TFRecord is not supported: the built-in XGBoost reads no TFRecord. Use Line for "
            "text "
            "and RecordIO for application/x-recordio-protobuf.");
    }
    spec.split_lines = split == "Line";
    spec.split_records = split == "RecordIO";
    if (spec.split_records && !IsType(spec.content_type, "application/x-recordio-protobuf")) {
        return Refuse(
            fmt::format("TransformInput: SplitType RecordIO needs the ContentType application/x-recordio-protobuf; the "
                        "records of \"{}\" are no RecordIO.",
                        spec.content_type));
    }
    return {};
}

Result<void> ParseOutput(const json& output, TransformSpec& spec) {
    std::string uri = output.value("S3OutputPath", "");
    while (uri.ends_with('/')) uri.pop_back();
    spec.output = TRY(Locate(uri, "TransformOutput.S3OutputPath"));
    spec.accept = output.value("Accept", "");
    spec.assemble_lines = output.value("AssembleWith", "None") == "Line";
    return {};
}

Result<void> ParseBatching(const json& request, TransformSpec& spec) {
    spec.single_record = request.value("BatchStrategy", "MultiRecord") == "SingleRecord";
    const std::int64_t payload_mb = request.value("MaxPayloadInMB", kDefaultPayloadMb);
    if (payload_mb == 0) {
        return Refuse(
            "MaxPayloadInMB 0 (chunked payloads of any size) is not supported by the built-in algorithms. Give a "
            "number of megabytes from 1 to 100.");
    }
    const std::int64_t concurrent = request.value("MaxConcurrentTransforms", std::int64_t{0});
    if (payload_mb > kPayloadMbMax || payload_mb * std::max<std::int64_t>(concurrent, 1) > kPayloadMbMax) {
        return Refuse("MaxConcurrentTransforms * MaxPayloadInMB must be at most 100 MB. Make one of them smaller.");
    }
    if (spec.single_record && !spec.split_lines && !spec.split_records) {
        return Refuse(
            "BatchStrategy SingleRecord needs SplitType Line or RecordIO: without it an object has no records.");
    }
    spec.payload_bytes_max = static_cast<std::uint64_t>(payload_mb) << 20;
    spec.num_concurrent = static_cast<int>(concurrent);
    return {};
}

/// Filters and joins look into records, which must be of a format that has parts.
Result<void> CheckRecords(const TransformSpec& spec) {
    if (spec.input_filter == "$" && spec.output_filter == "$" && !spec.join_input) return {};
    const bool is_csv = IsType(spec.content_type, "text/csv");
    const bool is_lines = IsType(spec.content_type, "application/jsonlines");
    if (!is_csv && !is_lines && !IsType(spec.content_type, "application/json")) {
        return Refuse(
            fmt::format("DataProcessing needs a TransformInput.ContentType of text/csv, application/jsonlines or "
                        "application/json; \"{}\" has no parts that a filter could name.",
                        spec.content_type));
    }
    if (spec.split_lines != spec.assemble_lines) {
        return Refuse(
            "With DataProcessing, SplitType and AssembleWith must be the same: Line for a record on each line, None "
            "for an object that is one record.");
    }
    if ((is_csv || is_lines) && !spec.split_lines) {
        return Refuse(fmt::format("DataProcessing of {} works line by line: give SplitType Line and AssembleWith Line.",
                                  spec.content_type));
    }
    return {};
}

Result<void> ParseProcessing(const json& request, TransformSpec& spec) {
    const json processing = request.value("DataProcessing", json::object());
    spec.input_filter = processing.value("InputFilter", "$");
    spec.output_filter = processing.value("OutputFilter", "$");
    spec.join_input = processing.value("JoinSource", "None") == "Input";
    return CheckRecords(spec);
}

std::string OutputName(std::string_view key, std::string_view prefix) {
    const std::size_t slash = prefix.rfind('/');
    return fmt::format("{}.out", key.substr(slash == std::string_view::npos ? 0 : slash + 1));
}

Result<std::vector<TransformInput>> ReadManifest(const store::ObjectStore& store, const TransformSpec& spec) {
    const store::BucketName bucket = TRY(store::BucketName::Parse(spec.input.bucket));
    const store::ObjectKey key = TRY(store::ObjectKey::Parse(spec.input.key));
    const json manifest = json::parse(TRY(store.ReadAll(bucket, key, kManifestBytesMax)), nullptr, false);
    const auto refuse = [&](std::string_view why) {
        return Refuse(
            fmt::format("ClientError: {} is not a manifest: {}. Write [{{\"prefix\": \"s3://bucket/\"}}, "
                        "\"key\", ...].",
                        spec.input.ToUri(), why));
    };
    if (!manifest.is_array() || manifest.empty()) return refuse("it is no JSON array");
    if (!manifest[0].is_object() || !manifest[0].contains("prefix") || !manifest[0]["prefix"].is_string()) {
        return refuse("its first element has no prefix");
    }
    const store::S3Location prefix = TRY(Locate(manifest[0]["prefix"].get<std::string>(), "the manifest's prefix"));
    std::vector<TransformInput> inputs;
    for (std::size_t i = 1; i < manifest.size(); ++i) {
        if (!manifest[i].is_string()) return refuse(fmt::format("its element {} is no string", i + 1));
        const std::string name = manifest[i].get<std::string>();
        inputs.push_back({.bucket = prefix.bucket, .key = prefix.key + name, .output_name = name + ".out"});
    }
    return inputs;
}

}  // namespace

std::string ToDocument(const TransformModel& model) {
    return json({{"image", model.image}, {"model_data_url", model.model_data_url}, {"environment", model.environment}})
        .dump();
}

Result<TransformModel> ParseTransformModel(const std::string& document) {
    try {
        const json parsed = json::parse(document);
        return TransformModel{.image = parsed.at("image").get<std::string>(),
                              .model_data_url = parsed.at("model_data_url").get<std::string>(),
                              .environment = parsed.at("environment").get<std::map<std::string, std::string>>()};
    } catch (const json::exception& error) {
        return Error(ErrorCode::kCorruptData, std::string("the job's model cannot be read any more: ") + error.what());
    }
}

Result<TransformSpec> ParseTransformSpec(const std::string& request_text) {
    const json request = json::parse(request_text, nullptr, /*allow_exceptions=*/false);
    if (!request.is_object()) return Refuse("The transform job's request is no JSON object.");
    TransformSpec spec;
    spec.name = request.value("TransformJobName", "");
    spec.model_name = request.value("ModelName", "");
    spec.environment = request.value("Environment", spec.environment);
    TRY(ParseInput(request.at("TransformInput"), spec));
    TRY(ParseOutput(request.at("TransformOutput"), spec));
    TRY(ParseBatching(request, spec));
    TRY(ParseProcessing(request, spec));
    return spec;
}

Result<std::vector<TransformInput>> FindTransformInputs(const store::ObjectStore& store, const TransformSpec& spec) {
    std::vector<TransformInput> inputs;
    if (spec.by_manifest) {
        inputs = TRY(ReadManifest(store, spec));
    } else {
        TRY(ForEachObject(store, spec.input, [&](const store::ObjectInfo& object) {
            inputs.push_back({.bucket = spec.input.bucket,
                              .key = object.key,
                              .output_name = OutputName(object.key, spec.input.key)});
            return true;
        }));
    }
    if (inputs.empty()) return Error(ErrorCode::kNotFound, "no objects under " + spec.input.ToUri());
    return inputs;
}

}  // namespace espalier::jobs
