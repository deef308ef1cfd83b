// What the operators and functions of metric math do with numbers. Pure functions; nullptr for a name of another kind.
// Source: CloudWatch user guide, "Using metric math".
#pragma once

#include <chrono>
#include <span>
#include <string_view>

namespace espalier::monitor {

/// + - * / ^, comparisons and AND, OR, which give 1 or 0.
using BinaryRule = double (*)(double, double);
BinaryRule BinaryRuleOf(std::string_view name);

/// ABS, CEIL, FLOOR, LOG, LOG10.
using UnaryRule = double (*)(double);
UnaryRule UnaryRuleOf(std::string_view name);

/// SUM, AVG, MIN, MAX, STDDEV, DATAPOINT_COUNT of the values that are there, one at least, in `places` that could have
/// one. An average takes those that are missing for 0.
using FoldRule = double (*)(std::span<const double> values, std::size_t places);
FoldRule FoldRuleOf(std::string_view name);

/// DIFF, DIFF_TIME, RATE: what a point becomes, given the one before it and the seconds between them.
using StepRule = double (*)(double value, double before, double seconds);
StepRule StepRuleOf(std::string_view name);

/// MINUTE, HOUR, DAY (1 = Monday), DATE, MONTH, YEAR, EPOCH of a time in UTC.
using TimeRule = double (*)(std::chrono::sys_seconds time);
TimeRule TimeRuleOf(std::string_view name);

}  // namespace espalier::monitor
