#include "monitor/math_rules.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace espalier::monitor {
namespace {

template <typename Rule>
struct Named {
    std::string_view name;
    Rule rule;
};

template <typename Rule, std::size_t kCount>
Rule FindNamed(const Named<Rule> (&table)[kCount], std::string_view name) {
    for (const Named<Rule>& each : table)
        if (each.name == name) return each.rule;
    return nullptr;
}

constexpr Named<BinaryRule> kBinaryRules[] = {
    {"+", [](double a, double b) { return a + b; }},
    {"-", [](double a, double b) { return a - b; }},
    {"*", [](double a, double b) { return a * b; }},
    {"/", [](double a, double b) { return a / b; }},
    {"^", [](double a, double b) { return std::pow(a, b); }},
    {"==", [](double a, double b) { return a == b ? 1.0 : 0.0; }},
    {"!=", [](double a, double b) { return a != b ? 1.0 : 0.0; }},
    {"<", [](double a, double b) { return a < b ? 1.0 : 0.0; }},
    {"<=", [](double a, double b) { return a <= b ? 1.0 : 0.0; }},
    {">", [](double a, double b) { return a > b ? 1.0 : 0.0; }},
    {">=", [](double a, double b) { return a >= b ? 1.0 : 0.0; }},
    {"AND", [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; }},
    {"OR", [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; }},
};

constexpr Named<UnaryRule> kUnaryRules[] = {
    {"ABS", [](double x) { return std::abs(x); }},     {"CEIL", [](double x) { return std::ceil(x); }},
    {"FLOOR", [](double x) { return std::floor(x); }}, {"LOG", [](double x) { return std::log(x); }},
    {"LOG10", [](double x) { return std::log10(x); }},
};

double SumOf(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

constexpr Named<FoldRule> kFoldRules[] = {
    {"SUM", [](std::span<const double> values, std::size_t) { return SumOf(values); }},
    {"AVG",
     [](std::span<const double> values, std::size_t places) { return SumOf(values) / static_cast<double>(places); }},
    {"MIN", [](std::span<const double> values, std::size_t) { return *std::ranges::min_element(values); }},
    {"MAX", [](std::span<const double> values, std::size_t) { return *std::ranges::max_element(values); }},
    {"STDDEV",
     [](std::span<const double> values, std::size_t) {
         const double count = static_cast<double>(values.size());
         const double mean = SumOf(values) / count;
         double squares = 0;
         for (const double value : values) squares += (value - mean) * (value - mean);
         return std::sqrt(squares / count);
     }},
    {"DATAPOINT_COUNT", [](std::span<const double> values, std::size_t) { return static_cast<double>(values.size()); }},
};

constexpr Named<StepRule> kStepRules[] = {
    {"DIFF", [](double value, double before, double) { return value - before; }},
    {"DIFF_TIME", [](double, double, double seconds) { return seconds; }},
    {"RATE", [](double value, double before, double seconds) { return (value - before) / seconds; }},
};

std::chrono::year_month_day DateOf(std::chrono::sys_seconds time) {
    return std::chrono::floor<std::chrono::days>(time);
}
std::chrono::hh_mm_ss<std::chrono::seconds> ClockOf(std::chrono::sys_seconds time) {
    return std::chrono::hh_mm_ss(time - std::chrono::floor<std::chrono::days>(time));
}

constexpr Named<TimeRule> kTimeRules[] = {
    {"MINUTE", [](std::chrono::sys_seconds time) { return static_cast<double>(ClockOf(time).minutes().count()); }},
    {"HOUR", [](std::chrono::sys_seconds time) { return static_cast<double>(ClockOf(time).hours().count()); }},
    {"DAY",  // 1 = Monday
     [](std::chrono::sys_seconds time) {
         return static_cast<double>(std::chrono::weekday(std::chrono::floor<std::chrono::days>(time)).iso_encoding());
     }},
    {"DATE", [](std::chrono::sys_seconds time) { return static_cast<double>(unsigned{DateOf(time).day()}); }},
    {"MONTH", [](std::chrono::sys_seconds time) { return static_cast<double>(unsigned{DateOf(time).month()}); }},
    {"YEAR", [](std::chrono::sys_seconds time) { return static_cast<double>(int{DateOf(time).year()}); }},
    {"EPOCH", [](std::chrono::sys_seconds time) { return static_cast<double>(time.time_since_epoch().count()); }},
};

}  // namespace

BinaryRule BinaryRuleOf(std::string_view name) {
    return FindNamed(kBinaryRules, name);
}

UnaryRule UnaryRuleOf(std::string_view name) {
    return FindNamed(kUnaryRules, name);
}

FoldRule FoldRuleOf(std::string_view name) {
    return FindNamed(kFoldRules, name);
}

StepRule StepRuleOf(std::string_view name) {
    return FindNamed(kStepRules, name);
}

TimeRule TimeRuleOf(std::string_view name) {
    return FindNamed(kTimeRules, name);
}

}  // namespace espalier::monitor
