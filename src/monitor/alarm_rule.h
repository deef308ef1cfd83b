// When an alarm is in ALARM: M of the last N data points breach a threshold, and what missing points mean.
//
// The evaluation range is N + kSpareDatapoints periods; the newest N real points of it count, so a late point does not
// make a hole. When points are missing then, the treatment decides; with "missing" and "ignore" an alarm also goes off
// early when every real point breaches and the oldest of them is M periods old or more (CloudWatch calls the opposite a
// premature transition). Pure functions. Source: CloudWatch user guide, "Configuring how CloudWatch alarms treat
// missing data", whose tables are alarm_rule_test.cc.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace espalier::monitor {

enum class AlarmState { kOk, kAlarm, kInsufficientData };
/// "OK", "ALARM", "INSUFFICIENT_DATA".
std::string_view ToString(AlarmState state);
std::optional<AlarmState> AlarmStateOf(std::string_view text);

enum class MissingData { kMissing, kIgnore, kBreaching, kNotBreaching };
std::optional<MissingData> MissingDataOf(std::string_view text);

enum class Comparison { kGreaterOrEqual, kGreater, kLess, kLessOrEqual };
std::optional<Comparison> ComparisonOf(std::string_view text);
bool Breaches(double value, Comparison comparison, double threshold);
/// "greater than the threshold", for reasons.
std::string_view InWords(Comparison comparison);

struct AlarmRule {
    static constexpr int kSpareDatapoints = 2;

    Comparison comparison = Comparison::kGreater;
    double threshold = 0;
    int evaluation_periods = 1;   ///< N >= 1
    int datapoints_to_alarm = 1;  ///< 1 <= M <= N
    MissingData missing = MissingData::kMissing;

    int range() const { return evaluation_periods + kSpareDatapoints; }
};

/// The state that `points` call for: those of the evaluation range, oldest first, nullopt where there is none.
/// nullopt = stay as it is.
std::optional<AlarmState> Evaluate(const AlarmRule& rule, std::span<const std::optional<double>> points);

}  // namespace espalier::monitor
