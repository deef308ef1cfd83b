#include "monitor/alarm_rule.h"

#include <algorithm>

namespace espalier::monitor {
namespace {

template <typename Value>
struct Named {
    std::string_view text;
    Value value;
};

constexpr Named<AlarmState> kStates[] = {
    {"OK", AlarmState::kOk}, {"ALARM", AlarmState::kAlarm}, {"INSUFFICIENT_DATA", AlarmState::kInsufficientData}};
constexpr Named<MissingData> kTreatments[] = {{"missing", MissingData::kMissing},
                                              {"ignore", MissingData::kIgnore},
                                              {"breaching", MissingData::kBreaching},
                                              {"notBreaching", MissingData::kNotBreaching}};
constexpr Named<Comparison> kComparisons[] = {{"GreaterThanOrEqualToThreshold", Comparison::kGreaterOrEqual},
                                              {"GreaterThanThreshold", Comparison::kGreater},
                                              {"LessThanThreshold", Comparison::kLess},
                                              {"LessThanOrEqualToThreshold", Comparison::kLessOrEqual}};

template <typename Value, std::size_t kCount>
std::optional<Value> FindNamed(const Named<Value> (&table)[kCount], std::string_view text) {
    for (const Named<Value>& each : table)
        if (each.text == text) return each.value;
    return std::nullopt;
}

}  // namespace

std::string_view ToString(AlarmState state) {
    for (const Named<AlarmState>& each : kStates)
        if (each.value == state) return each.text;
    return "";
}

std::optional<AlarmState> AlarmStateOf(std::string_view text) {
    return FindNamed(kStates, text);
}

std::optional<MissingData> MissingDataOf(std::string_view text) {
    return FindNamed(kTreatments, text);
}

std::optional<Comparison> ComparisonOf(std::string_view text) {
    return FindNamed(kComparisons, text);
}

bool Breaches(double value, Comparison comparison, double threshold) {
    switch (comparison) {
        case Comparison::kGreaterOrEqual:
            return value >= threshold;
        case Comparison::kGreater:
            return value > threshold;
        case Comparison::kLess:
            return value < threshold;
        case Comparison::kLessOrEqual:
            return value <= threshold;
    }
    return false;
}

std::string_view InWords(Comparison comparison) {
    switch (comparison) {
        case Comparison::kGreaterOrEqual:
            return "greater than or equal to the threshold";
        case Comparison::kGreater:
            return "greater than the threshold";
        case Comparison::kLess:
            return "less than the threshold";
        case Comparison::kLessOrEqual:
            return "less than or equal to the threshold";
    }
    return "";
}

std::optional<AlarmState> Evaluate(const AlarmRule& rule, std::span<const std::optional<double>> points) {
    int num_real = 0;
    int num_breaching = 0;
    int oldest_age = 0;  // of the real points that count, in periods
    for (int age = 1; age <= static_cast<int>(points.size()) && num_real < rule.evaluation_periods; ++age) {
        const std::optional<double>& point = points[points.size() - static_cast<std::size_t>(age)];
        if (!point) continue;
        ++num_real;
        oldest_age = age;
        if (Breaches(*point, rule.comparison, rule.threshold)) ++num_breaching;
    }
    const int num_missing = rule.evaluation_periods - num_real;
    const bool enough = num_breaching >= rule.datapoints_to_alarm;
    switch (rule.missing) {
        case MissingData::kBreaching:
            return num_breaching + num_missing >= rule.datapoints_to_alarm ? AlarmState::kAlarm : AlarmState::kOk;
        case MissingData::kNotBreaching:
            return enough ? AlarmState::kAlarm : AlarmState::kOk;
        case MissingData::kMissing:
        case MissingData::kIgnore:
            break;
    }
    const bool ignore = rule.missing == MissingData::kIgnore;
    if (enough) return AlarmState::kAlarm;
    if (num_real == 0) return ignore ? std::nullopt : std::optional(AlarmState::kInsufficientData);
    const bool all_breach_for_long = num_breaching == num_real && oldest_age >= rule.datapoints_to_alarm;
    if (!all_breach_for_long) return AlarmState::kOk;
    return ignore ? std::nullopt : std::optional(AlarmState::kAlarm);
}

}  // namespace espalier::monitor
