#include "jobs/tuning/search_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"

namespace espalier::jobs {
namespace {

using nlohmann::json;
using Kind = TunedParameter::Kind;

// The largest integers that a double tells apart.
constexpr double kIntegerMax = 9007199254740992.0;

Error Refuse(std::string sentence) {
    return Error(ErrorCode::kInvalidArgument, std::move(sentence));
}

std::optional<double> ParseNumber(const std::string& text) {
    double value = 0;
    const char* begin = text.data();
    const char* end = begin + text.size();
    while (begin < end && *begin == ' ') ++begin;
    if (begin < end && *begin == '+') ++begin;
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (error != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
    return value;
}

/// From a bound or value to the scale on which steps are equal.
double ToScale(const TunedParameter& parameter, double value) {
    switch (parameter.scaling) {
        case ScalingType::kLinear:
            return value;
        case ScalingType::kLogarithmic:
            return std::log(value);
        case ScalingType::kReverseLogarithmic:
            return -std::log1p(-value);
    }
    CHECK(false, "scaling {}", static_cast<int>(parameter.scaling));
    return 0;
}

double FromScale(const TunedParameter& parameter, double scaled) {
    switch (parameter.scaling) {
        case ScalingType::kLinear:
            return scaled;
        case ScalingType::kLogarithmic:
            return std::exp(scaled);
        case ScalingType::kReverseLogarithmic:
            return -std::expm1(-scaled);
    }
    CHECK(false, "scaling {}", static_cast<int>(parameter.scaling));
    return 0;
}

// An integer owns the half unit on each side of it, so that the ends are as likely as the others.
double LowEnd(const TunedParameter& parameter) {
    const double half = parameter.kind == Kind::kInteger ? 0.5 : 0.0;
    const bool stays_positive = parameter.scaling != ScalingType::kLogarithmic || parameter.min > half;
    return ToScale(parameter, stays_positive ? parameter.min - half : parameter.min);
}

double HighEnd(const TunedParameter& parameter) {
    return ToScale(parameter, parameter.kind == Kind::kInteger ? parameter.max + 0.5 : parameter.max);
}

double NumberAt(const TunedParameter& parameter, double coordinate) {
    const double low = LowEnd(parameter);
    const double value = FromScale(parameter, low + coordinate * (HighEnd(parameter) - low));
    const double whole = parameter.kind == Kind::kInteger ? std::round(value) : value;
    return std::clamp(whole, parameter.min, parameter.max);
}

double CoordinateOf(const TunedParameter& parameter, double value) {
    const double low = LowEnd(parameter);
    const double width = HighEnd(parameter) - low;
    const double scaled = ToScale(parameter, std::clamp(value, parameter.min, parameter.max));
    return width > 0 ? std::clamp((scaled - low) / width, 0.0, 1.0) : 0.5;
}

std::size_t WordAt(const TunedParameter& parameter, double coordinate) {
    const auto index = static_cast<std::size_t>(coordinate * static_cast<double>(parameter.words.size()));
    return std::min(index, parameter.words.size() - 1);
}

double WordCoordinate(const TunedParameter& parameter, std::size_t index) {
    return (static_cast<double>(index) + 0.5) / static_cast<double>(parameter.words.size());
}

std::string NumberText(const TunedParameter& parameter, double value) {
    if (parameter.kind == Kind::kInteger) return fmt::format("{}", static_cast<std::int64_t>(value));
    return fmt::format("{}", value);  // the shortest that reads back as the same number
}

Result<ScalingType> ChooseScaling(const TunedParameter& parameter, const std::string& word) {
    if (word == "Logarithmic") {
        if (parameter.min > 0) return ScalingType::kLogarithmic;
        return Refuse(fmt::format("The range of {} begins at {}: Logarithmic scaling needs bounds above 0.",
                                  parameter.name, parameter.min));
    }
    if (word == "ReverseLogarithmic") {
        const bool fits = parameter.kind == Kind::kContinuous && parameter.min >= 0 && parameter.max < 1;
        if (fits) return ScalingType::kReverseLogarithmic;
        return Refuse(
            fmt::format("The range of {} is not within [0, 1): ReverseLogarithmic scaling is for continuous "
                        "parameters near 1, such as 0.9 to 0.999.",
                        parameter.name));
    }
    if (word == "Linear") return ScalingType::kLinear;
    const bool is_wide = parameter.min > 0 && parameter.max / parameter.min >= kAutoLogRatio;
    return is_wide ? ScalingType::kLogarithmic : ScalingType::kLinear;
}

Result<TunedParameter> ParseRange(const json& range, Kind kind) {
    TunedParameter parameter = {.name = range.value("Name", ""), .kind = kind};
    for (const auto& [member, bound] : {std::pair("MinValue", &parameter.min), {"MaxValue", &parameter.max}}) {
        const std::string text = range.value(member, "");
        const std::optional<double> value = ParseNumber(text);
        const bool is_whole =
            value && (kind != Kind::kInteger || (std::trunc(*value) == *value && std::abs(*value) <= kIntegerMax));
        if (!is_whole) {
            return Refuse(fmt::format("The range of {} has {} \"{}\", which is no {}.", parameter.name, member, text,
                                      kind == Kind::kInteger ? "integer" : "number"));
        }
        *bound = *value;
    }
    if (parameter.min > parameter.max) {
        return Refuse(fmt::format("The range of {} has MinValue {} above MaxValue {}.", parameter.name, parameter.min,
                                  parameter.max));
    }
    parameter.scaling = TRY(ChooseScaling(parameter, range.value("ScalingType", "Auto")));
    return parameter;
}

}  // namespace

Result<SearchSpace> SearchSpace::Parse(const json& ranges) {
    SearchSpace space;
    for (const auto& [member, kind] :
         {std::pair("IntegerParameterRanges", Kind::kInteger), {"ContinuousParameterRanges", Kind::kContinuous}}) {
        if (!ranges.contains(member)) continue;
        for (const json& range : ranges[member]) space.parameters_.push_back(TRY(ParseRange(range, kind)));
    }
    if (ranges.contains("CategoricalParameterRanges")) {
        for (const json& range : ranges["CategoricalParameterRanges"]) {
            space.parameters_.push_back({.name = range.value("Name", ""),
                                         .kind = Kind::kCategorical,
                                         .words = range.value("Values", std::vector<std::string>())});
        }
    }
    std::set<std::string> names;
    for (const TunedParameter& parameter : space.parameters_) {
        if (!names.insert(parameter.name).second) {
            return Refuse(fmt::format("The hyperparameter {} has two ranges. Give one.", parameter.name));
        }
    }
    return space;
}

ParameterValues SearchSpace::Decode(const CubePoint& point) const {
    ParameterValues values;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const TunedParameter& parameter = parameters_[i];
        values[parameter.name] = parameter.kind == Kind::kCategorical
                                     ? parameter.words[WordAt(parameter, point[i])]
                                     : NumberText(parameter, NumberAt(parameter, point[i]));
    }
    return values;
}

CubePoint SearchSpace::Encode(const ParameterValues& values) const {
    CubePoint point;
    bool any = false;
    for (const TunedParameter& parameter : parameters_) {
        const auto found = values.find(parameter.name);
        any |= found != values.end();
        const std::string text = found == values.end() ? "" : found->second;
        if (parameter.kind == Kind::kCategorical) {
            const auto word = std::find(parameter.words.begin(), parameter.words.end(), text);
            const auto index = static_cast<std::size_t>(word - parameter.words.begin());
            point.push_back(word == parameter.words.end() ? 0.0 : WordCoordinate(parameter, index));
        } else {
            point.push_back(CoordinateOf(parameter, ParseNumber(text).value_or(parameter.min)));
        }
    }
    return any ? point : CubePoint();
}

std::size_t SearchSpace::num_features() const {
    std::size_t count = 0;
    for (const TunedParameter& parameter : parameters_)
        count += parameter.kind == Kind::kCategorical ? parameter.words.size() : 1;
    return count;
}

std::vector<double> SearchSpace::Features(const CubePoint& point) const {
    std::vector<double> features;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const TunedParameter& parameter = parameters_[i];
        if (parameter.kind == Kind::kCategorical) {
            const std::size_t chosen = WordAt(parameter, point[i]);
            for (std::size_t word = 0; word < parameter.words.size(); ++word)
                features.push_back(word == chosen ? 1.0 : 0.0);
        } else {
            features.push_back(CoordinateOf(parameter, NumberAt(parameter, point[i])));
        }
    }
    return features;
}

std::uint64_t SearchSpace::num_combinations() const {
    constexpr std::uint64_t kCombinationsMax = 1'000'000'000;
    std::uint64_t product = 1;
    for (const TunedParameter& parameter : parameters_) {
        if (parameter.kind != Kind::kCategorical) return 0;
        product = std::min(product * parameter.words.size(), kCombinationsMax);
    }
    return parameters_.empty() ? 0 : product;
}

CubePoint SearchSpace::Combination(std::uint64_t number) const {
    CubePoint point(parameters_.size());
    for (std::size_t i = parameters_.size(); i-- > 0;) {
        const std::uint64_t num_words = parameters_[i].words.size();
        point[i] = WordCoordinate(parameters_[i], number % num_words);
        number /= num_words;
    }
    return point;
}

}  // namespace espalier::jobs
