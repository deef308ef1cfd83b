#include "monitor/alarm_rule.h"

#include <gtest/gtest.h>

#include <vector>

namespace espalier::monitor {
namespace {

/// "0 - X": not breaching, missing, breaching, oldest first.
std::vector<std::optional<double>> PointsOf(std::string_view text) {
    std::vector<std::optional<double>> points;
    for (char c : text) {
        if (c == '-') points.emplace_back();
        if (c == '0') points.emplace_back(0.0);
        if (c == 'X') points.emplace_back(9.0);
    }
    return points;
}

std::string StateFor(int m, int n, MissingData missing, std::string_view points) {
    const AlarmRule rule{.comparison = Comparison::kGreater,
                         .threshold = 5,
                         .evaluation_periods = n,
                         .datapoints_to_alarm = m,
                         .missing = missing};
    const std::optional<AlarmState> state = Evaluate(rule, PointsOf(points));
    return state ? std::string(ToString(*state)) : "retain";
}

struct Row {
    int m;
    int n;
    std::string_view points;
    std::string_view missing;
    std::string_view ignore;
    std::string_view breaching;
    std::string_view not_breaching;
};

// The two tables of the user guide.
constexpr Row kPublished[] = {
    {3, 3, "0 - X - X", "OK", "OK", "OK", "OK"},
    {3, 3, "- - - - 0", "OK", "OK", "OK", "OK"},
    {3, 3, "- - - - -", "INSUFFICIENT_DATA", "retain", "ALARM", "OK"},
    {3, 3, "0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"},
    {3, 3, "- - X - -", "ALARM", "retain", "ALARM", "OK"},
    {2, 3, "0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"},
    {2, 3, "0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"},
    {2, 3, "0 - X - -", "OK", "OK", "ALARM", "OK"},
    {2, 3, "- - - - 0", "OK", "OK", "ALARM", "OK"},
    {2, 3, "- - - X -", "ALARM", "retain", "ALARM", "OK"},
    // Not in the tables: the transition that would be premature, and the plain cases.
    {3, 3, "- - - - X", "OK", "OK", "ALARM", "OK"},
    {1, 1, "- - X", "ALARM", "ALARM", "ALARM", "ALARM"},
    {1, 1, "X X 0", "OK", "OK", "OK", "OK"},
};

TEST(AlarmRule, MissingDataAreTreatedAsPublished) {
    for (const Row& row : kPublished) {
        EXPECT_EQ(StateFor(row.m, row.n, MissingData::kMissing, row.points), row.missing) << row.points;
        EXPECT_EQ(StateFor(row.m, row.n, MissingData::kIgnore, row.points), row.ignore) << row.points;
        EXPECT_EQ(StateFor(row.m, row.n, MissingData::kBreaching, row.points), row.breaching) << row.points;
        EXPECT_EQ(StateFor(row.m, row.n, MissingData::kNotBreaching, row.points), row.not_breaching) << row.points;
    }
}

TEST(AlarmRule, ComparesAsNamed) {
    for (const auto& [name, below, equal, above] :
         {std::tuple("GreaterThanOrEqualToThreshold", false, true, true),
          std::tuple("GreaterThanThreshold", false, false, true), std::tuple("LessThanThreshold", true, false, false),
          std::tuple("LessThanOrEqualToThreshold", true, true, false)}) {
        const Comparison comparison = ComparisonOf(name).value();
        EXPECT_EQ(Breaches(1, comparison, 2), below) << name;
        EXPECT_EQ(Breaches(2, comparison, 2), equal) << name;
        EXPECT_EQ(Breaches(3, comparison, 2), above) << name;
    }
    EXPECT_FALSE(ComparisonOf("GreaterThanUpperThreshold").has_value());
}

}  // namespace
}  // namespace espalier::monitor
