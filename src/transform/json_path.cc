#include "transform/json_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

namespace espalier::transform {
namespace {

using nlohmann::json;
using Step = JsonPath::Step;
using Range = JsonPath::Range;

class PathParser {
  public:
    explicit PathParser(std::string_view text) : text_(text) {}

    Result<std::vector<Step>> Parse() {
        if (text_.size() > kJsonPathBytesMax) return Refuse("at most 63 characters");
        if (!Take('$')) return Refuse("'$'");
        std::vector<Step> steps;
        while (place_ < text_.size()) steps.push_back(TRY(ParseStep()));
        return steps;
    }

  private:
    Error Refuse(std::string_view expected) const {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("'{}' is not a JSONPath of those supported: column {} should have {}", text_,
                                 place_ + 1, expected));
    }
    bool Take(char c) {
        if (place_ >= text_.size() || text_[place_] != c) return false;
        ++place_;
        return true;
    }
    void SkipBlanks() {
        while (Take(' ')) {
        }
    }

    Result<Step> ParseStep() {
        const bool dotted = Take('.');
        if (Take('[')) return ParseBracket();
        if (!dotted) return Refuse("'.' or '['");
        if (Take('*')) return Step(JsonPath::Everything{});
        const std::size_t begin = place_;
        while (place_ < text_.size() && text_[place_] != '.' && text_[place_] != '[') ++place_;
        if (place_ == begin) return Refuse("a name");
        return Step(JsonPath::Names{{std::string(text_.substr(begin, place_ - begin))}});
    }

    Result<Step> ParseBracket() {
        SkipBlanks();
        if (Take('*')) {
            SkipBlanks();
            if (!Take(']')) return Refuse("']'");
            return Step(JsonPath::Everything{});
        }
        const bool quoted = place_ < text_.size() && (text_[place_] == '\'' || text_[place_] == '"');
        JsonPath::Names names;
        JsonPath::Ranges ranges;
        do {
            SkipBlanks();
            if (quoted) {
                names.names.push_back(TRY(ParseQuoted()));
            } else {
                ranges.ranges.push_back(TRY(ParseRange()));
            }
            SkipBlanks();
        } while (Take(','));
        if (!Take(']')) return Refuse("',' or ']'");
        if (quoted) return Step(std::move(names));
        return Step(std::move(ranges));
    }

    Result<std::string> ParseQuoted() {
        if (place_ >= text_.size()) return Refuse("a quoted name");
        const char quote = text_[place_];
        if (quote != '\'' && quote != '"') return Refuse("a quoted name");
        const std::size_t end = text_.find(quote, place_ + 1);
        if (end == std::string_view::npos) return Refuse("a name with its second quote");
        std::string name(text_.substr(place_ + 1, end - place_ - 1));
        place_ = end + 1;
        return name;
    }

    Result<Range> ParseRange() {
        const std::optional<std::int64_t> begin = ParseInteger();
        if (!Take(':')) {
            if (!begin) return Refuse("an index, a slice, '*' or a quoted name");
            return Range{.is_slice = false, .begin = *begin};
        }
        return Range{.is_slice = true, .begin = begin.value_or(0), .end = ParseInteger()};
    }

    std::optional<std::int64_t> ParseInteger() {
        std::int64_t value = 0;
        const char* begin = text_.data() + place_;
        const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
        if (error != std::errc()) return std::nullopt;
        place_ += static_cast<std::size_t>(end - begin);
        return value;
    }

    std::string_view text_;
    std::size_t place_ = 0;
};

/// Appends the elements of an array of `size` that the ranges name.
Result<void> ResolveRanges(const JsonPath::Ranges& step, std::size_t size, std::vector<std::size_t>& indexes) {
    const auto length = static_cast<std::int64_t>(size);
    const auto from_end = [&](std::int64_t index) { return index < 0 ? index + length : index; };
    for (const Range& range : step.ranges) {
        const std::int64_t begin = from_end(range.begin);
        if (!range.is_slice) {
            if (begin < 0 || begin >= length) {
                return Error(ErrorCode::kInvalidArgument,
                             fmt::format("index {} is outside: there are {} elements", range.begin, length));
            }
            indexes.push_back(static_cast<std::size_t>(begin));
            continue;
        }
        const std::int64_t end = std::min(range.end ? from_end(*range.end) : length, length);
        for (std::int64_t i = std::max<std::int64_t>(begin, 0); i < end; ++i) {
            indexes.push_back(static_cast<std::size_t>(i));
        }
    }
    return {};
}

bool TakesOne(const JsonPath::Ranges& step) {
    return step.ranges.size() == 1 && !step.ranges[0].is_slice;
}

Result<json> SelectSteps(const json& value, std::span<const Step> steps);

Result<json> SelectEach(std::vector<const json*> elements, std::span<const Step> rest) {
    json selected = json::array();
    for (const json* element : elements) selected.push_back(TRY(SelectSteps(*element, rest)));
    return selected;
}

Result<json> SelectNames(const json& value, const JsonPath::Names& step, std::span<const Step> rest) {
    json selected = json::object();
    for (const std::string& name : step.names) {
        if (!value.is_object() || !value.contains(name)) {
            return Error(ErrorCode::kInvalidArgument, fmt::format("there is no '{}' in it", name));
        }
        json part = TRY(SelectSteps(value[name], rest));
        if (step.names.size() == 1) return part;
        selected[name] = std::move(part);
    }
    return selected;
}

Result<json> SelectRanges(const json& value, const JsonPath::Ranges& step, std::span<const Step> rest) {
    if (!value.is_array()) return Error(ErrorCode::kInvalidArgument, "what an index goes into is no array");
    std::vector<std::size_t> indexes;
    TRY(ResolveRanges(step, value.size(), indexes));
    if (TakesOne(step)) return SelectSteps(value[indexes[0]], rest);
    std::vector<const json*> elements;
    for (const std::size_t index : indexes) elements.push_back(&value[index]);
    return SelectEach(std::move(elements), rest);
}

Result<json> SelectSteps(const json& value, std::span<const Step> steps) {
    if (steps.empty()) return value;
    const std::span<const Step> rest = steps.subspan(1);
    if (const auto* names = std::get_if<JsonPath::Names>(&steps[0])) return SelectNames(value, *names, rest);
    if (const auto* ranges = std::get_if<JsonPath::Ranges>(&steps[0])) return SelectRanges(value, *ranges, rest);
    if (!value.is_structured()) return Error(ErrorCode::kInvalidArgument, "'*' goes into a value without elements");
    std::vector<const json*> elements;
    for (const json& element : value) elements.push_back(&element);
    return SelectEach(std::move(elements), rest);
}

}  // namespace

Result<JsonPath> JsonPath::Parse(std::string_view text) {
    JsonPath path;
    path.text_ = text;
    path.steps_ = TRY(PathParser(text).Parse());
    return path;
}

Result<json> JsonPath::Select(const json& value) const {
    auto selected = SelectSteps(value, steps_);
    if (!selected) return std::move(selected).error().Wrap(fmt::format("{} does not fit the record", text_));
    return selected;
}

Result<void> JsonPath::CheckForCells() const {
    if (steps_.empty()) return {};
    if (steps_.size() == 1 && !std::holds_alternative<Names>(steps_[0])) return {};
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} does not fit CSV: a row is an array of cells, so use one step of indexes or slices, "
                             "such as $[1:] or $[0,-1]",
                             text_));
}

Result<std::vector<std::size_t>> JsonPath::SelectCells(std::size_t num_cells) const {
    std::vector<std::size_t> cells;
    if (const auto* ranges = steps_.empty() ? nullptr : std::get_if<Ranges>(&steps_[0])) {
        Result<void> resolved = ResolveRanges(*ranges, num_cells, cells);
        if (!resolved) return std::move(resolved).error().Wrap(fmt::format("{} does not fit the record", text_));
        return cells;
    }
    for (std::size_t i = 0; i < num_cells; ++i) cells.push_back(i);
    return cells;
}

}  // namespace espalier::transform
