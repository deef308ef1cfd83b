#include "learn/constraint_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "data/feature_rows.h"
#include "learn/python_text.h"

namespace espalier::learn {

namespace {

Error Unreadable(std::string_view name, std::string_view text, std::string_view example) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("Hyperparameter {}: could not parse value '{}'. Write it like {}.", name, text, example));
}

std::string WithoutSpaces(std::string_view text) {
    std::string plain(text);
    std::erase_if(plain, [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
    return plain;
}

}  // namespace

Result<std::vector<std::int8_t>> ParseMonotoneConstraints(std::string_view text) {
    const auto unreadable = [&] { return Unreadable("monotone_constraints", text, "(1,0,-1)"); };
    const std::string plain = WithoutSpaces(text);
    if (plain.size() < 2 || plain.front() != '(' || plain.back() != ')') return unreadable();
    std::vector<std::int8_t> signs;
    if (plain == "()") return signs;
    std::vector<std::string> members = SplitCommas(std::string_view(plain).substr(1, plain.size() - 2));
    if (members.size() > 1 && members.back().empty()) members.pop_back();  // "(1,)" is a tuple of one.
    for (const std::string& member : members) {
        const auto sign = ParsePythonInt(member);
        if (!sign.has_value() || *sign < -1 || *sign > 1) return unreadable();
        signs.push_back(static_cast<std::int8_t>(*sign));
    }
    return signs;
}

Result<std::vector<std::vector<std::uint32_t>>> ParseInteractionConstraints(std::string_view text) {
    const auto unreadable = [&] { return Unreadable("interaction_constraints", text, "[[0,2],[1,3,4]]"); };
    const std::string plain = WithoutSpaces(text);
    if (plain.size() < 2 || plain.front() != '[' || plain.back() != ']') return unreadable();
    std::vector<std::vector<std::uint32_t>> sets;
    std::string_view rest = std::string_view(plain).substr(1, plain.size() - 2);
    while (!rest.empty()) {
        const std::size_t end = rest.find(']');
        if (rest.front() != '[' || end == std::string_view::npos) return unreadable();
        std::vector<std::uint32_t>& set = sets.emplace_back();
        for (const std::string& member : SplitCommas(rest.substr(1, end - 1))) {
            if (member.empty() && end == 1) continue;  // "[]" is a set of none.
            const auto feature = ParsePythonInt(member);
            if (!feature.has_value() || *feature < 0 || *feature > data::kFeatureIdxMax) return unreadable();
            set.push_back(static_cast<std::uint32_t>(*feature));
        }
        rest = rest.substr(end + 1);
        if (rest.empty()) break;
        if (rest.front() != ',') return unreadable();
        rest = rest.substr(1);
    }
    return sets;
}

}  // namespace espalier::learn
