#include "api/metrics/query_document.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/error_answer.h"
#include "api/metrics/metric_reading.h"
#include "api/s3/s3_time.h"

namespace espalier::api::metrics {
namespace {

using nlohmann::json;
using sagemaker::Shape;
using sagemaker::ShapeType;

template <typename Number>
std::optional<json> ReadNumber(const std::string& text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if constexpr (std::is_floating_point_v<Number>) {
        if (!std::isfinite(number)) return std::nullopt;
    }
    return json(number);
}

/// A value that is one parameter; times stay text, which validation reads.
std::optional<json> ReadScalar(ShapeType type, const std::string& text) {
    switch (type) {
        case ShapeType::kInteger:
        case ShapeType::kLong:
            return ReadNumber<std::int64_t>(text);
        case ShapeType::kFloat:
            return ReadNumber<double>(text);
        case ShapeType::kBoolean:
            if (text != "true" && text != "false") return std::nullopt;
            return json(text == "true");
        default:
            return json(text);
    }
}

class FormReader {
  public:
    explicit FormReader(const QueryForm& form) : form_(form) {}

    /// The value called `name`, or nothing when no parameter speaks of it. False after a wrong value.
    bool Read(const Shape& shape, const std::string& name, std::optional<json>& value) {
        switch (shape.type) {
            case ShapeType::kStructure:
                return !HasBelow(name) || ReadStructure(shape, name + ".", value.emplace(json::object()));
            case ShapeType::kList:
                return ReadList(*shape.element, name, value);
            case ShapeType::kMap:
                return ReadMap(shape, name, value);
            default:
                break;
        }
        const auto found = form_.find(name);
        if (found == form_.end()) return true;
        value = ReadScalar(shape.type, found->second);
        if (!value) error_ = fmt::format("The value of the parameter {} cannot be read.", name);
        return value.has_value();
    }
    bool ReadStructure(const Shape& shape, const std::string& prefix, json& structure) {
        for (const sagemaker::Member& member : shape.members) {
            std::optional<json> value;
            if (!Read(*member.shape, prefix + member.name, value)) return false;
            if (value) structure[member.name] = std::move(*value);
        }
        return true;
    }
    const std::string& error() const { return error_; }

  private:
    /// Whether there are parameters "name.…".
    bool HasBelow(const std::string& name) const {
        const auto next = form_.lower_bound(name + ".");
        return next != form_.end() && next->first.starts_with(name + ".");
    }
    bool Has(const std::string& name) const { return form_.contains(name) || HasBelow(name); }

    bool ReadList(const Shape& element, const std::string& name, std::optional<json>& value) {
        // "Dimensions=" is how an empty list is sent.
        if (form_.contains(name)) value = json::array();
        for (std::size_t i = 1; Has(fmt::format("{}.member.{}", name, i)); ++i) {
            std::optional<json> read;
            if (!Read(element, fmt::format("{}.member.{}", name, i), read)) return false;
            if (!value) value = json::array();
            value->push_back(read ? std::move(*read) : json());
        }
        return true;
    }
    bool ReadMap(const Shape& shape, const std::string& name, std::optional<json>& value) {
        for (std::size_t i = 1; Has(fmt::format("{}.entry.{}", name, i)); ++i) {
            const std::string entry = fmt::format("{}.entry.{}", name, i);
            std::optional<json> read;
            if (!Read(*shape.value, entry + ".value", read)) return false;
            if (!value) value = json::object();
            (*value)[std::string(QueryParameter(form_, entry + ".key"))] = read ? std::move(*read) : json();
        }
        return true;
    }

    const QueryForm& form_;
    std::string error_;
};

void AppendXml(std::string_view name, const json& value, bool is_time, std::string& xml) {
    if (value.is_null()) return;
    xml += fmt::format("<{}>", name);
    if (value.is_object()) {
        for (const auto& [member, inner] : value.items()) AppendXml(member, inner, IsTimeMember(member), xml);
    } else if (value.is_array()) {
        for (const json& element : value) AppendXml("member", element, is_time, xml);
    } else if (value.is_string()) {
        xml += XmlEscape(value.get_ref<const std::string&>());
    } else if (is_time && value.is_number()) {
        xml += s3::FormatIso8601(MillisOf(value));
    } else {
        xml += value.dump();
    }
    xml += fmt::format("</{}>", name);
}

}  // namespace

std::variant<json, WireError> FromQuery(const Shape& shape, const QueryForm& form) {
    FormReader reader(form);
    json document = json::object();
    if (reader.ReadStructure(shape, "", document)) return document;
    return WireError{.type = "MalformedInput", .message = reader.error()};
}

std::string ToQueryXml(const json& document) {
    std::string xml;
    for (const auto& [name, value] : document.items()) AppendXml(name, value, IsTimeMember(name), xml);
    return xml;
}

}  // namespace espalier::api::metrics
