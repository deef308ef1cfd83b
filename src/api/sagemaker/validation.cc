#include "api/sagemaker/validation.h"

#include <fmt/format.h>
#include <time.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

// Quoting a whole 2 KB value once is what AWS does; a hostile request must not multiply it.
constexpr std::size_t kQuotedValueBytesMax = 1024;
constexpr std::size_t kViolationsMax = 50;

std::size_t CountCodePoints(std::string_view text) {
    std::size_t count = 0;
    for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return count;
}

std::string Quoted(const json& value) {
    std::string text =
        value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, json::error_handler_t::replace);
    if (text.size() > kQuotedValueBytesMax) {
        std::size_t end = kQuotedValueBytesMax;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
        text = text.substr(0, end) + "...";
    }
    return text;
}

std::string_view JavaName(const json& value) {
    switch (value.type()) {
        case json::value_t::object:
            return "START_OBJECT";
        case json::value_t::array:
            return "START_ARRAY";
        case json::value_t::string:
            return "STRING_VALUE";
        case json::value_t::boolean:
            return value.get<bool>() ? "TRUE_VALUE" : "FALSE_VALUE";
        case json::value_t::number_float:
            return "DECIMAL_VALUE";
        default:
            return "NUMBER_VALUE";
    }
}

class Checker {
  public:
    /// False when reading must stop: serialization_error() then says why.
    bool Check(const Shape& shape, const std::string& path, json& value);

    std::optional<WireError> Verdict() const;

  private:
    bool CheckStructure(const Shape& shape, const std::string& path, json& value);
    bool CheckList(const Shape& shape, const std::string& path, json& value);
    bool CheckMap(const Shape& shape, const std::string& path, json& value);
    bool CheckInteger(const Shape& shape, const std::string& path, json& value);
    void CheckString(const Shape& shape, const std::string& path, const json& value);
    bool CheckTimestamp(json& value);
    void CheckSize(const Shape& shape, const std::string& path, const json& value, std::size_t size);
    void CheckRange(const Shape& shape, const std::string& path, const json& value, double number);

    void Violate(const std::string& path, const json& value, const std::string& constraint);
    bool WrongType(std::string message) {
        serialization_error_ = std::move(message);
        return false;
    }
    bool WrongType(const json& value, std::string_view wanted) {
        return WrongType(fmt::format("{} can not be converted to {}", JavaName(value), wanted));
    }

    std::vector<std::string> violations_;
    std::size_t num_violations_ = 0;
    std::string serialization_error_;
};

void Checker::Violate(const std::string& path, const json& value, const std::string& constraint) {
    if (++num_violations_ > kViolationsMax) return;
    const std::string shown = value.is_null() ? "null" : fmt::format("'{}'", Quoted(value));
    violations_.push_back(fmt::format("Value {} at '{}' failed to satisfy constraint: {}", shown, path, constraint));
}

std::string SizeConstraint(bool at_most, std::int64_t bound) {
    return fmt::format("Member must have length {} than or equal to {}", at_most ? "less" : "greater", bound);
}

std::string EnumConstraint(const Shape& shape) {
    return fmt::format("Member must satisfy enum value set: [{}]", fmt::join(shape.enum_values, ", "));
}

// The published patterns are matched whole; real answers of the service show them with the leading anchor.
std::string PatternConstraint(const Shape& shape) {
    return fmt::format("Member must satisfy regular expression pattern: ^{}", shape.pattern->text());
}

bool InEnum(const Shape& shape, const std::string& text) {
    if (!shape.open_enum_prefix.empty()) {
        return text.size() > shape.open_enum_prefix.size() && text.starts_with(shape.open_enum_prefix);
    }
    for (const std::string& allowed : shape.enum_values) {
        if (allowed == text) return true;
    }
    return false;
}

/// The string constraints that `text` breaks.
std::vector<std::string> BrokenConstraints(const Shape& shape, const std::string& text) {
    std::vector<std::string> broken;
    const auto length = static_cast<std::int64_t>(CountCodePoints(text));
    if (shape.max && length > *shape.max) broken.push_back(SizeConstraint(true, *shape.max));
    if (shape.min && length < *shape.min) broken.push_back(SizeConstraint(false, *shape.min));
    if (!shape.enum_values.empty() && !InEnum(shape, text)) broken.push_back(EnumConstraint(shape));
    if (shape.pattern && !shape.pattern->Matches(text)) broken.push_back(PatternConstraint(shape));
    return broken;
}

/// All string constraints of a map's keys or values, as AWS lists them when one is broken.
std::vector<std::string> AllConstraints(const Shape& shape) {
    std::vector<std::string> all;
    if (shape.max) all.push_back(SizeConstraint(true, *shape.max));
    if (shape.min) all.push_back(SizeConstraint(false, *shape.min));
    if (!shape.enum_values.empty()) all.push_back(EnumConstraint(shape));
    if (shape.pattern) all.push_back(PatternConstraint(shape));
    return all;
}

void Checker::CheckString(const Shape& shape, const std::string& path, const json& value) {
    for (const std::string& constraint : BrokenConstraints(shape, value.get_ref<const std::string&>())) {
        Violate(path, value, constraint);
    }
}

void Checker::CheckSize(const Shape& shape, const std::string& path, const json& value, std::size_t size) {
    const auto length = static_cast<std::int64_t>(size);
    if (shape.max && length > *shape.max) Violate(path, value, SizeConstraint(true, *shape.max));
    if (shape.min && length < *shape.min) Violate(path, value, SizeConstraint(false, *shape.min));
}

void Checker::CheckRange(const Shape& shape, const std::string& path, const json& value, double number) {
    if (shape.max && number > static_cast<double>(*shape.max)) {
        Violate(path, value, fmt::format("Member must have value less than or equal to {}", *shape.max));
    }
    if (shape.min && number < static_cast<double>(*shape.min)) {
        Violate(path, value, fmt::format("Member must have value greater than or equal to {}", *shape.min));
    }
}

bool Checker::CheckStructure(const Shape& shape, const std::string& path, json& value) {
    if (value.is_array()) return WrongType("Start of list found where not expected");
    if (!value.is_object()) return WrongType("Expected a structure where a scalar was found");
    for (const Member& member : shape.members) {
        const std::string member_path = path.empty() ? member.label : path + "." + member.label;
        const auto found = value.find(member.name);
        if (found != value.end() && found->is_null()) value.erase(found);
        const auto present = value.find(member.name);
        if (present == value.end()) {
            if (member.required) Violate(member_path, json(), "Member must not be null");
            continue;
        }
        if (!Check(*member.shape, member_path, *present)) return false;
    }
    return true;
}

bool Checker::CheckList(const Shape& shape, const std::string& path, json& value) {
    if (value.is_object()) return WrongType("Start of structure or map found where not expected.");
    if (!value.is_array()) return WrongType("Expected list or null");
    CheckSize(shape, path, value, value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
        const std::string element_path = fmt::format("{}.{}.member", path, i + 1);
        if (value[i].is_null()) {
            Violate(element_path, value[i], "Member must not be null");
            continue;
        }
        if (!Check(*shape.element, element_path, value[i])) return false;
    }
    return true;
}

bool Checker::CheckMap(const Shape& shape, const std::string& path, json& value) {
    if (value.is_array()) return WrongType("Start of list found where not expected");
    if (!value.is_object()) return WrongType("Expected map or null");
    CheckSize(shape, path, value, value.size());
    bool bad_key = false;
    bool bad_value = false;
    for (const auto& entry : value.items()) {
        bad_key |= !BrokenConstraints(*shape.key, entry.key()).empty();
        json& item = entry.value();
        if (item.is_string() && shape.value->type == ShapeType::kString) {
            bad_value |= !BrokenConstraints(*shape.value, item.get_ref<const std::string&>()).empty();
        } else if (item.is_null()) {
            bad_value = true;
        } else if (!Check(*shape.value, fmt::format("{}.{}.member", path, entry.key()), item)) {
            return false;
        }
    }
    const auto joined = [](const Shape& part) { return fmt::format("[{}]", fmt::join(AllConstraints(part), ", ")); };
    if (bad_key) Violate(path, value, "Map keys must satisfy constraint: " + joined(*shape.key));
    if (bad_value) Violate(path, value, "Map value must satisfy constraint: " + joined(*shape.value));
    return true;
}

bool Checker::CheckInteger(const Shape& shape, const std::string& path, json& value) {
    constexpr double kExactMax = 9007199254740992.0;  // 2^53: above it a float no longer names one integer
    if (value.is_number_float()) {
        const double number = value.get<double>();
        if (number != std::floor(number) || std::abs(number) > kExactMax) return WrongType(value, "an Integer");
        value = static_cast<std::int64_t>(number);
    }
    if (!value.is_number_integer()) return WrongType(value, "an Integer");
    const double number = value.get<double>();
    if (shape.type == ShapeType::kInteger && std::abs(number) > 2147483648.0) return WrongType(value, "an Integer");
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
        return WrongType(value, "a Long");
    }
    CheckRange(shape, path, value, number);
    return true;
}

bool Checker::CheckTimestamp(json& value) {
    if (value.is_string()) {
        const std::optional<double> seconds = ParseIsoTime(value.get_ref<const std::string&>());
        if (!seconds) return WrongType("STRING_VALUE can not be converted to a Timestamp");
        value = *seconds;
    }
    if (!value.is_number()) return WrongType(value, "a Timestamp");
    // Year 9999: what a date can hold, and safely inside what milliseconds in 64 bits can.
    if (std::abs(value.get<double>()) > 253402300799.0) return WrongType("Timestamp out of range");
    return true;
}

bool Checker::Check(const Shape& shape, const std::string& path, json& value) {
    switch (shape.type) {
        case ShapeType::kStructure:
            return CheckStructure(shape, path, value);
        case ShapeType::kList:
            return CheckList(shape, path, value);
        case ShapeType::kMap:
            return CheckMap(shape, path, value);
        case ShapeType::kString:
            if (value.is_object()) return WrongType("Start of structure or map found where not expected.");
            if (value.is_array()) return WrongType("Start of list found where not expected");
            if (!value.is_string()) return WrongType(value, "a String");
            CheckString(shape, path, value);
            return true;
        case ShapeType::kInteger:
        case ShapeType::kLong:
            return CheckInteger(shape, path, value);
        case ShapeType::kFloat:
            if (!value.is_number()) return WrongType(value, "a Float");
            CheckRange(shape, path, value, value.get<double>());
            return true;
        case ShapeType::kBoolean:
            if (!value.is_boolean()) return WrongType(value, "a Boolean");
            return true;
        case ShapeType::kTimestamp:
            return CheckTimestamp(value);
    }
    CHECK(false, "shape type {}", static_cast<int>(shape.type));
    return false;
}

std::optional<WireError> Checker::Verdict() const {
    if (!serialization_error_.empty())
        return WireError{.type = "SerializationException", .message = serialization_error_};
    if (violations_.empty()) return std::nullopt;
    return WireError{.type = "ValidationException",
                     .message = fmt::format("{} validation error{} detected: {}", num_violations_,
                                            num_violations_ == 1 ? "" : "s", fmt::join(violations_, "; "))};
}

}  // namespace

std::optional<double> ParseIsoTime(const std::string& text) {
    tm parts{};
    const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == nullptr) return std::nullopt;
    double fraction = 0;
    double scale = 0.1;
    if (*rest == '.') {
        for (++rest; *rest >= '0' && *rest <= '9'; ++rest, scale /= 10) fraction += scale * (*rest - '0');
    }
    if (std::string_view(rest) != "Z" && std::string_view(rest) != "+00:00") return std::nullopt;
    return static_cast<double>(timegm(&parts)) + fraction;
}

std::optional<WireError> Validate(const Shape& shape, json& document) {
    Checker checker;
    checker.Check(shape, "", document);
    return checker.Verdict();
}

}  // namespace espalier::api::sagemaker
