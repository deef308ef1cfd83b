#include "transform/transform_plan.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace espalier::transform {
namespace {

using nlohmann::json;

Result<TransformPlan> FromDocument(const json& document, const std::string& root) {
    TransformPlan plan{.image = document.at("image").get<std::string>(),
                       .environment = document.at("environment").get<std::map<std::string, std::string>>(),
                       .model_path = root + "/model.tar.gz",
                       .content_type = document.at("content_type").get<std::string>(),
                       .accept = document.at("accept").get<std::string>(),
                       .format = RecordFormat::kOpaque,
                       .gzip = document.at("gzip").get<bool>(),
                       .split_lines = document.at("split_lines").get<bool>(),
                       .split_records = document.at("split_records").get<bool>(),
                       .single_record = document.at("single_record").get<bool>(),
                       .assemble_lines = document.at("assemble_lines").get<bool>(),
                       .payload_bytes_max = document.at("payload_bytes_max").get<std::uint64_t>(),
                       .input_filter = TRY(JsonPath::Parse(document.at("input_filter").get<std::string>())),
                       .output_filter = TRY(JsonPath::Parse(document.at("output_filter").get<std::string>())),
                       .join_input = document.at("join_input").get<bool>(),
                       .objects = {}};
    plan.format = RecordFormatOf(plan.content_type);
    std::size_t number = 0;
    for (const json& name : document.at("objects")) {
        const std::string file = std::to_string(number++);
        plan.objects.push_back({.name = name.get<std::string>(),
                                .input_path = root + "/input/" + file,
                                .output_path = root + "/output/" + file + ".out"});
    }
    return plan;
}

}  // namespace

Result<TransformPlan> ReadTransformPlan(const std::string& root) {
    const std::string path = root + "/transform.json";
    std::ifstream in(path);
    try {
        return FromDocument(json::parse(in), root);
    } catch (const json::exception& error) {
        return Error(ErrorCode::kCorruptData, path + " is not what the platform writes: " + error.what());
    }
}

RecordFormat RecordFormatOf(const std::string& content_type) {
    std::string type = content_type.substr(0, content_type.find(';'));
    std::transform(type.begin(), type.end(), type.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    while (type.ends_with(' ')) type.pop_back();
    if (type == "text/csv" || type == "csv") return RecordFormat::kCsv;
    if (type == "application/json") return RecordFormat::kJson;
    if (type == "application/jsonlines") return RecordFormat::kJsonLines;
    return RecordFormat::kOpaque;
}

}  // namespace espalier::transform
