#include "monitor/statistic.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace espalier::monitor {
namespace {

constexpr std::string_view kPlainStatistics[] = {"Average", "Sum", "Minimum", "Maximum", "SampleCount"};
constexpr double kSlack = 1e-12;  // takes up the rounding of percent / 100

std::optional<double> ReadNumber(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
    return number;
}

std::optional<double> ReadPercent(std::string_view text) {
    const std::optional<double> percent = ReadNumber(text);
    return percent && *percent > 0 && *percent <= 100 ? percent : std::nullopt;
}

}  // namespace

/// "10%:90%", ":95%", "5:", "1:2": both of a kind, at least one, the lower one first.
std::optional<Statistic::Bounds> Statistic::ReadBounds(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view sides[] = {text.substr(0, colon), text.substr(colon + 1)};
    if (sides[0].empty() && sides[1].empty()) return std::nullopt;
    Bounds bounds{.percent = text.ends_with('%') || sides[0].ends_with('%')};
    for (std::string_view& side : sides) {
        if (side.empty()) continue;
        if (side.ends_with('%') != bounds.percent) return std::nullopt;
        if (bounds.percent) side.remove_suffix(1);
        const std::optional<double> number = ReadNumber(side);
        if (!number || (bounds.percent && (*number < 0 || *number > 100))) return std::nullopt;
        (&side == &sides[0] ? bounds.lower : bounds.upper) = number;
    }
    if (bounds.lower && bounds.upper && *bounds.lower >= *bounds.upper) return std::nullopt;
    return bounds;
}

Result<Statistic> Statistic::Parse(std::string_view text) {
    struct Family {
        std::string_view name;
        Kind kind;
    };
    constexpr Family kFamilies[] = {{"tm", Kind::kTrimmedMean},
                                    {"tc", Kind::kTrimmedCount},
                                    {"ts", Kind::kTrimmedSum},
                                    {"wm", Kind::kWinsorizedMean},
                                    {"pr", Kind::kPercentileRank}};
    if (std::ranges::find(kPlainStatistics, text) != std::end(kPlainStatistics))
        return Statistic(std::string(text), Kind::kPlain, {});
    if (text == "IQM") return Statistic("IQM", Kind::kTrimmedMean, {.lower = 25, .upper = 75});
    if (text.starts_with('p')) {
        if (const auto percent = ReadPercent(text.substr(1)))
            return Statistic(std::string(text), Kind::kPercentile, {.upper = percent});
    }
    for (const auto& [name, kind] : kFamilies) {
        const bool ranked = kind == Kind::kPercentileRank;
        const std::optional<double> percent = text.starts_with(name) ? ReadPercent(text.substr(2)) : std::nullopt;
        if (percent && !ranked) return Statistic(std::string(text), kind, {.upper = percent});
        const std::string upper_case = {static_cast<char>(name[0] - 'a' + 'A'), static_cast<char>(name[1] - 'a' + 'A'),
                                        '('};
        if (!text.starts_with(upper_case) || !text.ends_with(')')) continue;
        const std::optional<Bounds> bounds = ReadBounds(text.substr(3, text.size() - 4));
        if (bounds && !(ranked && bounds->percent)) return Statistic(std::string(text), kind, *bounds);
    }
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("The statistic {} is not supported: it must be one of {}, a percentile such as p99.9, IQM, "
                    "tm, tc, ts or wm with a percentage such as tm90, TM, TC, TS or WM with bounds such as "
                    "TM(10%:90%), or PR with bounds such as PR(:300).",
                    text, fmt::join(kPlainStatistics, ", ")));
}

std::optional<double> Statistic::Of(const Distribution& values) const {
    switch (kind_) {
        case Kind::kPlain:
            return OfPlain(values);
        case Kind::kPercentile:
            return values.Percentile(*bounds_.upper);
        case Kind::kWinsorizedMean:
            return OfWinsorized(values);
        default:
            return OfTrimmed(values);
    }
}

std::optional<double> Statistic::OfPlain(const Distribution& values) const {
    if (text_ == "Average") return values.average();
    if (text_ == "Sum") return values.summary().sum;
    if (text_ == "Minimum") return values.summary().minimum;
    if (text_ == "Maximum") return values.summary().maximum;
    return values.summary().count;
}

std::optional<double> Statistic::OfTrimmed(const Distribution& values) const {
    const std::map<double, double>* known = values.values();
    if (known == nullptr) return std::nullopt;
    const double all = values.summary().count;
    // Ranks and values that are kept: (from, to] either way.
    const double from_rank = bounds_.percent ? std::floor(bounds_.lower.value_or(0) / 100 * all * (1 + kSlack)) : 0;
    const double to_rank = bounds_.percent ? std::ceil(bounds_.upper.value_or(100) / 100 * all * (1 - kSlack)) : all;
    const double infinity = std::numeric_limits<double>::infinity();
    const double from_value = bounds_.percent ? -infinity : bounds_.lower.value_or(-infinity);
    const double to_value = bounds_.percent ? infinity : bounds_.upper.value_or(infinity);
    double rank = 0;
    double count = 0;
    double sum = 0;
    for (const auto& [value, times] : *known) {
        const double kept = std::min(rank + times, to_rank) - std::max(rank, from_rank);
        rank += times;
        if (kept <= 0 || value <= from_value || value > to_value) continue;
        count += kept;
        sum += kept * value;
    }
    if (kind_ == Kind::kTrimmedCount) return count;
    if (kind_ == Kind::kTrimmedSum) return sum;
    if (kind_ == Kind::kPercentileRank) return 100 * count / all;
    return count > 0 ? std::optional(sum / count) : std::nullopt;
}

std::optional<double> Statistic::OfWinsorized(const Distribution& values) const {
    const std::map<double, double>* known = values.values();
    if (known == nullptr) return std::nullopt;
    const auto bound = [&](const std::optional<double>& side, double otherwise) {
        if (!side) return otherwise;
        return bounds_.percent ? values.Percentile(*side).value_or(otherwise) : *side;
    };
    const double lower = bound(bounds_.lower, known->begin()->first);
    const double upper = bound(bounds_.upper, known->rbegin()->first);
    double sum = 0;
    for (const auto& [value, times] : *known) sum += times * std::min(std::max(value, lower), upper);
    return sum / values.summary().count;
}

}  // namespace espalier::monitor
