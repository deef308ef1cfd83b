#include "api/sagemaker/service_model.h"

#include <re2/re2.h>

#include <nlohmann/json.hpp>

#include "base/check.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

std::unique_ptr<re2::RE2> Compile(const std::string& text) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    auto compiled = std::make_unique<re2::RE2>(text, options);
    CHECK(compiled->ok(), "pattern {} of the service model: {}", text, compiled->error());
    return compiled;
}

ShapeType TypeOf(const std::string& name) {
    if (name == "structure") return ShapeType::kStructure;
    if (name == "list") return ShapeType::kList;
    if (name == "map") return ShapeType::kMap;
    if (name == "string") return ShapeType::kString;
    if (name == "integer") return ShapeType::kInteger;
    if (name == "long") return ShapeType::kLong;
    if (name == "float" || name == "double") return ShapeType::kFloat;
    if (name == "boolean") return ShapeType::kBoolean;
    CHECK(name == "timestamp", "the service model has a shape of type {}", name);
    return ShapeType::kTimestamp;
}

std::string LowerFirst(std::string name) {
    if (!name.empty() && name[0] >= 'A' && name[0] <= 'Z') name[0] = static_cast<char>(name[0] - 'A' + 'a');
    return name;
}

}  // namespace

Pattern::Pattern(std::string text, const std::string& must_match, const std::optional<std::string>& must_not_match)
    : text_(std::move(text)), must_match_(Compile(must_match)) {
    if (must_not_match) must_not_match_ = Compile(*must_not_match);
}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

bool Pattern::Matches(std::string_view value) const {
    const re2::StringPiece piece(value.data(), value.size());
    if (must_not_match_ && re2::RE2::FullMatch(piece, *must_not_match_)) return false;
    return re2::RE2::FullMatch(piece, *must_match_);
}

ServiceModel ServiceModel::Load(const char* table_json) {
    const json table = json::parse(table_json, nullptr, /*allow_exceptions=*/false);
    CHECK(table.is_object(), "the embedded service model is no JSON");
    ServiceModel model;
    for (const json& name : table["operations"]) model.operations_.insert(name.get<std::string>());
    for (const auto& entry : table["shapes"].items()) model.shapes_[entry.key()] = std::make_unique<Shape>();
    const auto find = [&](const json& name) -> const Shape* {
        return model.shapes_.at(name.get_ref<const std::string&>()).get();
    };
    for (const auto& [name, source] : table["shapes"].items()) {
        Shape& shape = *model.shapes_[name];
        shape.type = TypeOf(source["t"]);
        if (source.contains("min")) shape.min = source["min"].get<std::int64_t>();
        if (source.contains("max")) shape.max = source["max"].get<std::int64_t>();
        if (source.contains("pattern")) {
            const json& pattern = source["pattern"];
            const std::string text = pattern["p"];
            std::optional<std::string> must_not_match;
            if (pattern.contains("r")) must_not_match = pattern["r"].get<std::string>();
            shape.pattern.emplace(text, pattern.value("m", text), must_not_match);
        }
        if (source.contains("enum")) shape.enum_values = source["enum"].get<std::vector<std::string>>();
        shape.open_enum_prefix = source.value("open", "");
        if (source.contains("members")) {
            for (const json& member : source["members"]) {
                const std::string member_name = member[0];
                shape.members.push_back({.name = member_name,
                                         .label = LowerFirst(member_name),
                                         .shape = find(member[1]),
                                         .required = member[2].get<bool>()});
            }
        }
        if (source.contains("member")) shape.element = find(source["member"]);
        if (source.contains("key")) shape.key = find(source["key"]);
        if (source.contains("value")) shape.value = find(source["value"]);
    }
    for (const auto& [operation, shape] : table["inputs"].items()) model.inputs_[operation] = find(shape);
    return model;
}

const Shape* ServiceModel::InputOf(std::string_view operation) const {
    const auto found = inputs_.find(operation);
    return found == inputs_.end() ? nullptr : found->second;
}

}  // namespace espalier::api::sagemaker
