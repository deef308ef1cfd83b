#include "monitor/metric_math.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace espalier::monitor {
namespace {

/// "30 - 5": values, a missing one is "-".
MathSeries Series(std::string_view text, std::string label = "") {
    MathSeries series{.label = std::move(label), .points = {}};
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string part(text.substr(begin, end - begin));
        series.points.push_back(part == "-" ? std::nullopt : std::optional(std::stod(part)));
        begin = end + 1;
    }
    return series;
}

std::string ToText(const MathSeries& series) {
    std::vector<std::string> texts;
    for (const std::optional<double>& point : series.points) texts.push_back(point ? fmt::format("{}", *point) : "-");
    return fmt::format("{}", fmt::join(texts, " "));
}

class MetricMath : public testing::Test {
  protected:
    /// A metric of five periods.
    void Give(const std::string& id, std::string_view points) {
        inputs_.values[id] = Series(points, id);
        inputs_.metrics.push_back(id);
    }
    /// Series of a list stand behind one another, with their labels.
    std::string Of(std::string_view expression) {
        const Result<MathNode> node = ParseMath(expression);
        if (!node) return node.error().message();
        const Result<MathValue> value = EvaluateMath(*node, inputs_);
        if (!value) return value.error().message();
        if (const auto* series = std::get_if<MathSeries>(&*value)) return ToText(*series);
        std::vector<std::string> texts;
        for (const MathSeries& series : std::get<std::vector<MathSeries>>(*value))
            texts.push_back(fmt::format("{}: {}", series.label, ToText(series)));
        return fmt::format("{}", fmt::join(texts, "; "));
    }

    // Five minutes from Wednesday, 15 November 2023, 23:58 UTC on.
    MathInputs inputs_ = {.grid = {.from = 1'700'092'680'000, .period_ms = 60'000, .size = 5}};
};

TEST_F(MetricMath, ArithmeticTakesMissingValuesForZero) {
    Give("m1", "1 2 - 4 -");
    Give("m2", "10 - 30 2 -");
    EXPECT_EQ(Of("m1+m2"), "11 2 30 6 -");
    EXPECT_EQ(Of("m2 - m1"), "9 -2 30 -2 -");
    EXPECT_EQ(Of("m1*2+1"), "3 5 - 9 -") << "a number makes no points";
    EXPECT_EQ(Of("m2/m1"), "10 0 - 0.5 -") << "a division by zero drops the point";
    EXPECT_EQ(Of("2^m1"), "2 4 - 16 -");
    EXPECT_EQ(Of("-m1"), "-1 -2 - -4 -");
    EXPECT_EQ(Of("METRICS()*100"), "m1: 100 200 - 400 -; m2: 1000 - 3000 200 -");
    EXPECT_EQ(Of("[m1,m2]/m1"), "m1: 1 1 - 1 -; m2: 10 0 - 0.5 -");
    EXPECT_EQ(Of("SUM(100/[m1, m2])"), "110 50 3.3333333333333335 75 -");
    EXPECT_EQ(Of("LOG(m1-1)"), "- 0 - 1.0986122886681098 -") << "no logarithm of 0";
}

TEST_F(MetricMath, TheTableOfComparisons) {
    Give("metric1", "30 20 0 0 -");
    Give("metric2", "20 - 20 - -");
    EXPECT_EQ(Of("metric1 < metric2"), "0 0 1 0 -");
    EXPECT_EQ(Of("metric1 >= 30"), "1 0 0 0 -");
    EXPECT_EQ(Of("metric1 > 15 AND metric2 > 15"), "1 0 0 0 -");
    EXPECT_EQ(Of("metric1 > 25 OR metric2 == 20"), "1 0 1 0 -");
    EXPECT_EQ(Of("metric1 != 0"), "1 1 0 0 -");
    EXPECT_EQ(Of("metric1 * (2 > 1)"), "30 20 0 0 -");
}

TEST_F(MetricMath, TheTablesOfIf) {
    Give("metric1", "1 1 0 0 -");
    Give("metric2", "30 - 0 0 30");
    Give("metric3", "0 0 20 - 20");
    EXPECT_EQ(Of("IF(metric1, metric2, metric3)"), "30 0 20 - -");
    EXPECT_EQ(Of("IF(metric1, 5, metric3)"), "5 5 20 - -");
    EXPECT_EQ(Of("IF(metric1, metric2, 5)"), "30 0 5 5 -");
    EXPECT_EQ(Of("IF(metric1, metric2)"), "30 0 - - -");
    EXPECT_EQ(Of("IF(metric2 > 10, 1, 0)"), "1 - 0 0 1");
    EXPECT_EQ(Of("IF(1, metric2, metric3)"), "30 - 0 0 30");
    EXPECT_EQ(Of("IF(0, metric2)"), "- - - - -");
    EXPECT_EQ(Of("metric1 * IF(3 > 2, 7, 8)"), "7 7 0 0 -");
}

TEST_F(MetricMath, SeriesAndListsAreFolded) {
    Give("m1", "1 2 - 4 -");
    Give("m2", "3 - 6 0 -");
    EXPECT_EQ(Of("SUM(METRICS())"), "4 2 6 4 -");
    EXPECT_EQ(Of("AVG([m1,m2])"), "2 1 3 2 -");
    EXPECT_EQ(Of("MIN(METRICS())"), "1 2 6 0 -");
    EXPECT_EQ(Of("MAX(METRICS())"), "3 2 6 4 -");
    EXPECT_EQ(Of("STDDEV(METRICS())"), "1 0 0 2 -");
    EXPECT_EQ(Of("DATAPOINT_COUNT(METRICS())"), "2 1 1 2 -");
    EXPECT_EQ(Of("TIME_SERIES(SUM(m1))"), "7 7 7 7 7");
    EXPECT_EQ(Of("TIME_SERIES(AVG(m1))"), "1.4 1.4 1.4 1.4 1.4") << "missing values count as 0";
    EXPECT_EQ(Of("TIME_SERIES(SUM(m1)/DATAPOINT_COUNT(m1))"),
              "2.3333333333333335 2.3333333333333335 2.3333333333333335 2.3333333333333335 2.3333333333333335");
    EXPECT_EQ(Of("m1-MIN(m1)"), "0 1 - 3 -");
    EXPECT_EQ(Of("MAX(m1)/m1"), "4 2 - 1 -");
    EXPECT_EQ(Of("m1/METRIC_COUNT(METRICS())"), "0.5 1 - 2 -");
    EXPECT_EQ(Of("m1/PERIOD(m1)*60"), "1 2 - 4 -");
    Give("none", "- - - - -");
    EXPECT_EQ(Of("m1 + MAX(none)"), "- - - - -");
}

TEST_F(MetricMath, FunctionsAlongASeries) {
    Give("m1", "10 - 40 34 -");
    EXPECT_EQ(Of("DIFF(m1)"), "- - 30 -6 -");
    EXPECT_EQ(Of("DIFF_TIME(m1)"), "- - 120 60 -");
    EXPECT_EQ(Of("RATE(m1)"), "- - 0.25 -0.1 -");
    EXPECT_EQ(Of("RUNNING_SUM(m1)"), "10 - 50 84 -");
    EXPECT_EQ(Of("FILL(m1, 7)"), "10 7 40 34 7");
    EXPECT_EQ(Of("FILL(m1, MIN(m1))"), "10 10 40 34 10");
    EXPECT_EQ(Of("FILL(m1, REPEAT)"), "10 10 40 34 34");
    EXPECT_EQ(Of("FILL(m1, LINEAR)"), "10 25 40 34 -");
    EXPECT_EQ(Of("FILL(RATE(m1), LINEAR)"), "- - 0.25 -0.1 -");
    EXPECT_EQ(Of("ABS(-m1/4)"), "2.5 - 10 8.5 -");
    EXPECT_EQ(Of("CEIL(m1/4)"), "3 - 10 9 -");
    EXPECT_EQ(Of("FLOOR(-m1/4)"), "-3 - -10 -9 -");
    EXPECT_EQ(Of("LOG10(m1*10)"), "2 - 2.6020599913279625 2.531478917042255 -");
    Give("m2", "- 1 - - 2");
    EXPECT_EQ(Of("FILL(METRICS(), m2)"), "m1: 10 1 40 34 2; m2: - 1 - - 2");
    EXPECT_EQ(Of("FILL(METRICS(\"2\"), 0)"), "m2: 0 1 0 0 2");
}

TEST_F(MetricMath, TimesAreInUtc) {
    Give("m1", "- - - - -");
    EXPECT_EQ(Of("MINUTE(m1)"), "58 59 0 1 2");
    EXPECT_EQ(Of("HOUR(m1)"), "23 23 0 0 0");
    EXPECT_EQ(Of("DAY(m1)"), "3 3 4 4 4");
    EXPECT_EQ(Of("DATE(m1)"), "15 15 16 16 16");
    EXPECT_EQ(Of("MONTH(m1) + YEAR(m1) - 2000"), "34 34 34 34 34");
    EXPECT_EQ(Of("EPOCH(m1) - 1700092680"), "0 60 120 180 240");
}

TEST_F(MetricMath, ListsAreSortedAndCut) {
    Give("low", "1 1 1 1 1");
    Give("none", "- - - - -");
    Give("high", "9 - - - -");
    EXPECT_EQ(Of("SORT(METRICS(), MAX, DESC)"), "high: 9 - - - -; low: 1 1 1 1 1; none: - - - - -");
    EXPECT_EQ(Of("SORT(METRICS(), SUM, ASC, 1)"), "low: 1 1 1 1 1");
    EXPECT_EQ(Of("FIRST(SORT(METRICS(), AVG, DESC))"), "9 - - - -");
    EXPECT_EQ(Of("LAST(REMOVE_EMPTY(METRICS()))"), "9 - - - -");
    EXPECT_EQ(Of("SLICE(METRICS(), 1)"), "none: - - - - -; high: 9 - - - -");
    EXPECT_EQ(Of("SLICE(METRICS(), 0, 1)"), "low: 1 1 1 1 1");
    EXPECT_EQ(Of("SLICE(METRICS(), 7, 9)"), "");
    EXPECT_EQ(Of("SUM([METRICS(\"lo\"), METRICS(\"hi\")])"), "10 1 1 1 1");
}

TEST_F(MetricMath, WhatHasNoValueIsRefusedByName) {
    Give("m1", "1 2 3 4 5");
    const auto refuses = [&](std::string_view expression, std::string_view with) {
        EXPECT_NE(Of(expression).find(with), std::string::npos) << expression << ": " << Of(expression);
    };
    refuses("SEARCH('{AWS/EC2}', 'Sum', 300)", "The function SEARCH is not supported");
    refuses("ANOMALY_DETECTION_BAND(m1)", "The function ANOMALY_DETECTION_BAND is not supported");
    refuses("sum + 1", "There is no metric or expression 'sum'");
    refuses("AVG(m1)", "The result must be a time series");
    refuses("1 + 1", "The result must be a time series");
    refuses("METRICS() + METRICS()", "+ cannot be used with two arrays of time series");
    refuses("[m1, 3]", "An array holds time series");
    refuses("SUM(3) + m1", "SUM cannot be used with a number");
    refuses("SUM(m1, m1)", "The function SUM takes 1 to 1 arguments, not 2");
    refuses("FILL(m1, METRICS())", "FILL cannot be used with an array of time series");
    refuses("FILL(m1, SOMETIMES)", "'SOMETIMES' stands where a value is expected");
    refuses("IF(METRICS(), 1, 0)", "IF cannot be used with an array of time series");
    refuses("PERIOD(m1+m1)", "PERIOD takes the id of a metric");
    refuses("SLICE(METRICS(), -1)", "Argument 2 of SLICE must be a whole number");
    refuses("SORT(METRICS(), MEDIAN, ASC)", "SORT takes an array");
    refuses("METRICS(m1)", "METRICS takes nothing or a string");
    refuses("m1 + 'x'", "'x' stands where a value is expected");
    refuses("TIME_SERIES(m1)", "TIME_SERIES cannot be used with a time series");
}

TEST_F(MetricMath, ListsAndWorkAreBounded) {
    inputs_.grid.size = 2000;
    for (int i = 0; i < 300; ++i) {
        const std::string id = fmt::format("m{}", i);
        inputs_.values[id] = MathSeries{.points = std::vector<std::optional<double>>(2000, 1.0)};
        inputs_.metrics.push_back(id);
    }
    EXPECT_EQ(Of("[METRICS(), METRICS()]"), "An array has at most 500 time series");
    std::string many = "SUM(METRICS())";
    for (int i = 0; i < 20; ++i) many += "+SUM(METRICS())";
    EXPECT_NE(Of(many).find("more than 5000000 data points"), std::string::npos);
}

/// Whatever is put together has a value of finite points or is refused.
TEST_F(MetricMath, RandomExpressionsGiveFinitePointsOrAreRefused) {
    Give("m1", "1 2 - 4 -");
    Give("m2", "0 - -3 1e300 1e-300");
    std::mt19937 random(5);
    const auto pick = [&](std::initializer_list<const char*> texts) {
        return std::string(texts.begin()[random() % texts.size()]);
    };
    const auto grow = [&](const auto& self, int levels) -> std::string {
        const auto inner = [&] { return self(self, levels - 1); };
        switch (levels <= 0 ? random() % 3 : random() % 8) {
            case 0:
                return pick({"m1", "m2"});
            case 1:
                return pick({"0", "2", "1e308", "-1"});
            case 2:
                return pick({"METRICS()", "[m1,m2]", "METRICS(\"1\")"});
            case 3:
                return fmt::format("({} {} {})", inner(), pick({"+", "-", "*", "/", "^", "<", "==", "AND"}), inner());
            case 4:
                return fmt::format("IF({}, {}, {})", inner(), inner(), inner());
            case 5:
                return fmt::format("FILL({}, {})", inner(), pick({"REPEAT", "LINEAR", "3", "m2", "AVG(m1)"}));
            default:
                return fmt::format("{}({})",
                                   pick({"SUM", "AVG", "MIN", "STDDEV", "LOG", "ABS", "RATE", "DIFF", "RUNNING_SUM",
                                         "TIME_SERIES", "DAY", "FIRST", "REMOVE_EMPTY", "METRIC_COUNT"}),
                                   inner());
        }
    };
    int num_valued = 0;
    for (int i = 0; i < 5000; ++i) {
        const std::string text = grow(grow, 4);
        const Result<MathNode> node = ParseMath(text);
        ASSERT_TRUE(node.has_value()) << text << ": " << node.error().message();
        const Result<MathValue> value = EvaluateMath(*node, inputs_);
        if (!value) continue;
        ++num_valued;
        std::vector<MathSeries> all;
        if (const auto* series = std::get_if<MathSeries>(&*value)) all.push_back(*series);
        if (const auto* list = std::get_if<std::vector<MathSeries>>(&*value)) all = *list;
        for (const MathSeries& series : all) {
            ASSERT_EQ(series.points.size(), 5u) << text;
            for (const std::optional<double>& point : series.points)
                EXPECT_TRUE(!point || std::isfinite(*point)) << text;
        }
    }
    EXPECT_GT(num_valued, 1000);
}

}  // namespace
}  // namespace espalier::monitor
