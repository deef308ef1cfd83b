#include "api/sagemaker/search_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "api/sagemaker/validation.h"
#include "meta/arn.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr std::size_t kDepthMax = 20;  // of sub-expressions

std::optional<double> NumberOf(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string TextOf(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

/// The value as a number when it is one, also one that is spelled (hyperparameters are text).
std::optional<double> AsNumber(const json& value) {
    if (value.is_number()) return value.get<double>();
    return value.is_string() ? NumberOf(value.get_ref<const std::string&>()) : std::nullopt;
}

/// -1, 0, 1: the property's value against the filter's; nullopt when they cannot be compared by size.
std::optional<int> Compare(const json& value, const std::string& wanted) {
    if (const std::optional<double> number = AsNumber(value)) {
        const std::optional<double> other = NumberOf(wanted) ? NumberOf(wanted) : ParseIsoTime(wanted);
        if (!other) return std::nullopt;
        return *number < *other ? -1 : (*number > *other ? 1 : 0);
    }
    const int order = TextOf(value).compare(wanted);
    return order < 0 ? -1 : (order > 0 ? 1 : 0);
}

bool EqualTo(const json& value, const std::string& wanted) {
    return TextOf(value) == wanted || Compare(value, wanted) == 0;
}

/// The parts of "In": a list in JSON, or separated by commas.
std::vector<std::string> PartsOf(const std::string& text) {
    std::vector<std::string> parts;
    const json list = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (list.is_array()) {
        for (const json& part : list) parts.push_back(TextOf(part));
        return parts;
    }
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t comma = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, comma - begin));
        begin = comma + 1;
    }
    return parts;
}

bool Holds(const std::string& name, const json& value, const std::string& wanted) {
    if (name == "Equals") return EqualTo(value, wanted);
    if (name == "Contains") return meta::FoldCase(TextOf(value)).find(meta::FoldCase(wanted)) != std::string::npos;
    if (name == "In") {
        const std::vector<std::string> parts = PartsOf(wanted);
        return std::any_of(parts.begin(), parts.end(), [&](const std::string& part) { return EqualTo(value, part); });
    }
    const std::optional<int> order = Compare(value, wanted);
    if (!order) return false;
    if (name == "GreaterThan") return *order > 0;
    if (name == "GreaterThanOrEqualTo") return *order >= 0;
    if (name == "LessThan") return *order < 0;
    return *order <= 0;  // LessThanOrEqualTo, by the published enum
}

bool SatisfiesFilter(const json& resource, const json& filter) {
    const std::vector<json> values = ValuesOf(resource, filter["Name"].get<std::string>());
    const std::string wanted = filter.value("Value", "");
    const std::string name = filter.value("Operator", "Equals");
    if (name == "Exists") return !values.empty();
    if (name == "NotExists") return values.empty();
    const auto holds = [&](const std::string& positive) {
        return std::any_of(values.begin(), values.end(),
                           [&](const json& value) { return Holds(positive, value, wanted); });
    };
    return name == "NotEquals" ? !holds("Equals") : holds(name);
}

/// One element has to satisfy all the filters, whose names begin with the list's.
bool SatisfiesNested(const json& resource, const json& nested) {
    const std::string property = nested["NestedPropertyName"].get<std::string>();
    const std::vector<json> elements = ValuesOf(resource, property);
    return std::any_of(elements.begin(), elements.end(), [&](const json& element) {
        return std::all_of(nested["Filters"].begin(), nested["Filters"].end(), [&](json filter) {
            const std::string name = filter["Name"].get<std::string>();
            if (name.starts_with(property + ".")) filter["Name"] = name.substr(property.size() + 1);
            return SatisfiesFilter(element, filter);
        });
    });
}

Result<void> CheckFilter(const json& filter) {
    const std::string name = filter["Name"].get<std::string>();
    const std::string word = filter.value("Operator", "Equals");
    const bool needs_value = word != "Exists" && word != "NotExists";
    if (needs_value && !filter.contains("Value"))
        return Error(ErrorCode::kInvalidArgument, fmt::format("The filter of {} needs a Value for {}.", name, word));
    if (!needs_value && filter.contains("Value"))
        return Error(ErrorCode::kInvalidArgument, fmt::format("The filter of {} takes no Value with {}.", name, word));
    return {};
}

Result<void> CheckAt(const json& expression, std::size_t depth) {
    if (depth > kDepthMax)
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("SubExpressions are nested more than {} times.", kDepthMax));
    for (const json& filter : expression.value("Filters", json::array())) TRY(CheckFilter(filter));
    for (const json& nested : expression.value("NestedFilters", json::array()))
        for (const json& filter : nested["Filters"]) TRY(CheckFilter(filter));
    for (const json& part : expression.value("SubExpressions", json::array())) TRY(CheckAt(part, depth + 1));
    return {};
}

void Collect(const json& at, std::string_view path, std::vector<json>& values) {
    if (at.is_array()) {
        for (const json& element : at) Collect(element, path, values);
        return;
    }
    if (path.empty()) {
        values.push_back(at);
        return;
    }
    if (!at.is_object()) return;
    // Names of hyperparameters and tags may have dots in them, so every border is tried, the longest name first.
    for (std::size_t dot = path.size(); dot != std::string_view::npos && dot > 0;
         dot = dot == 0 ? std::string_view::npos : path.rfind('.', dot - 1)) {
        const auto found = at.find(path.substr(0, dot));
        if (found == at.end()) continue;
        Collect(*found, dot == path.size() ? "" : path.substr(dot + 1), values);
        return;
    }
}

/// Values of a list of named things, as a property: Tags.KEY, Metrics.NAME.
std::vector<json> NamedValues(const json& resource, const char* list, const char* name_member, const std::string& name,
                              const char* value_member) {
    std::vector<json> values;
    for (const json& entry : resource.value(list, json::array()))
        if (entry.value(name_member, "") == name) values.push_back(entry.value(value_member, json()));
    return values;
}

/// The names of what lies at or below `at`; elements of a list have the list's name.
void CollectPaths(const json& at, const std::string& path, std::set<std::string>& names) {
    if (at.is_array()) {
        for (const json& element : at) CollectPaths(element, path, names);
    } else if (at.is_object()) {
        for (const auto& [member, value] : at.items())
            CollectPaths(value, path.empty() ? member : path + "." + member, names);
    } else {
        names.insert(path);
    }
}

}  // namespace

void CollectNames(const json& resource, std::set<std::string>& names) {
    for (const json& tag : resource.value("Tags", json::array())) names.insert("Tags." + tag["Key"].get<std::string>());
    for (const json& metric : resource.value("FinalMetricDataList", json::array()))
        names.insert("Metrics." + metric["MetricName"].get<std::string>());
    json others = resource;
    others.erase("Tags");
    others.erase("FinalMetricDataList");
    CollectPaths(others, "", names);
}

std::vector<json> ValuesOf(const json& resource, const std::string& property) {
    constexpr std::string_view kTags = "Tags.";
    constexpr std::string_view kMetrics = "Metrics.";
    if (property.starts_with(kTags) && property != "Tags.Key" && property != "Tags.Value")
        return NamedValues(resource, "Tags", "Key", property.substr(kTags.size()), "Value");
    if (property.starts_with(kMetrics))
        return NamedValues(resource, "FinalMetricDataList", "MetricName", property.substr(kMetrics.size()), "Value");
    std::vector<json> values;
    Collect(resource, property, values);
    return values;
}

Result<void> CheckExpression(const json& expression) {
    return CheckAt(expression, 0);
}

bool Satisfies(const json& resource, const json& expression) {
    std::vector<bool> parts;
    for (const json& filter : expression.value("Filters", json::array()))
        parts.push_back(SatisfiesFilter(resource, filter));
    for (const json& nested : expression.value("NestedFilters", json::array()))
        parts.push_back(SatisfiesNested(resource, nested));
    for (const json& part : expression.value("SubExpressions", json::array()))
        parts.push_back(Satisfies(resource, part));
    if (parts.empty()) return true;
    const auto first_true = std::find(parts.begin(), parts.end(), true);
    const auto first_false = std::find(parts.begin(), parts.end(), false);
    return expression.value("Operator", "And") == "Or" ? first_true != parts.end() : first_false == parts.end();
}

bool ComesBefore(const json& a, const json& b) {
    const std::optional<double> first = AsNumber(a);
    const std::optional<double> second = AsNumber(b);
    if (first && second) return *first < *second;
    if (first.has_value() != second.has_value()) return first.has_value();
    return TextOf(a) < TextOf(b);
}

}  // namespace espalier::api::sagemaker
