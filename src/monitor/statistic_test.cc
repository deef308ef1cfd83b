#include "monitor/statistic.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace espalier::monitor {
namespace {

/// 1, 2, …, 10.
Distribution Ten() {
    Distribution values;
    for (int i = 1; i <= 10; ++i) values.Add(i);
    return values;
}

double Of(std::string_view text, const Distribution& values = Ten()) {
    return Statistic::Parse(text).value().Of(values).value();
}

TEST(Statistic, PlainOnesAndPercentiles) {
    EXPECT_EQ(Of("Average"), 5.5);
    EXPECT_EQ(Of("Sum"), 55);
    EXPECT_EQ(Of("Minimum"), 1);
    EXPECT_EQ(Of("Maximum"), 10);
    EXPECT_EQ(Of("SampleCount"), 10);
    EXPECT_EQ(Of("p90"), 9);
    EXPECT_EQ(Of("p99.9"), 10);
}

TEST(Statistic, BoundsInPerCentCutWholeValuesOff) {
    EXPECT_EQ(Of("tm90"), 5);
    EXPECT_EQ(Of("TM(:90%)"), 5);
    EXPECT_EQ(Of("tm99"), 5.5) << "p99 is the largest";
    EXPECT_EQ(Of("TM(10%:90%)"), 5.5);
    EXPECT_EQ(Of("TM(80%:)"), 9.5);
    EXPECT_EQ(Of("IQM"), Of("TM(25%:75%)"));
    EXPECT_EQ(Of("IQM"), 5.5) << "3 to 8";
    EXPECT_EQ(Of("tc90"), 9);
    EXPECT_EQ(Of("ts90"), 45);
    EXPECT_EQ(Of("TS(80%:)"), 19);
    EXPECT_EQ(Of("wm80"), 5.2) << "9 and 10 count as 8";
    EXPECT_EQ(Of("WM(10%:90%)"), 5.4) << "10 counts as 9, the bound of a tenth is 1";
    Distribution often;
    often.Add(1, 90);
    often.Add(100, 10);
    EXPECT_EQ(Of("tm95", often), (90.0 + 5 * 100) / 95);
    EXPECT_EQ(Of("tc95", often), 95);
}

TEST(Statistic, OfBoundsThatAreValuesTheLowerOneIsLeftOut) {
    EXPECT_EQ(Of("TC(2:5)"), 3);
    EXPECT_EQ(Of("TM(2:5)"), 4);
    EXPECT_EQ(Of("TS(:3)"), 6);
    EXPECT_EQ(Of("TC(8:)"), 2);
    EXPECT_EQ(Of("WM(3:8)"), (3 * 3 + 4 + 5 + 6 + 7 + 3 * 8) / 10.0);
    EXPECT_EQ(Of("PR(:3)"), 30);
    EXPECT_EQ(Of("PR(3:5)"), 20);
    EXPECT_EQ(Of("PR(5:)"), 50);
    EXPECT_EQ(Of("TC(20:30)"), 0);
    EXPECT_EQ(Of("TS(20:30)"), 0);
    EXPECT_FALSE(Statistic::Parse("TM(20:30)")->Of(Ten()).has_value()) << "a mean of nothing";
}

TEST(Statistic, SummariesHaveOnlyPlainOnes) {
    Distribution values;
    values.AddSummary({.count = 4, .sum = 10, .minimum = 1, .maximum = 4});
    EXPECT_EQ(Of("Average", values), 2.5);
    for (const char* text : {"p50", "tm90", "TC(1:3)", "ts50", "wm90", "PR(:3)", "IQM"})
        EXPECT_FALSE(Statistic::Parse(text)->Of(values).has_value()) << text;
}

TEST(Statistic, OtherTextsAreRefused) {
    for (const char* text :
         {"",          "Median",     "p",       "p0",          "p101",  "pnan",  "tm",       "tm0",
          "tm101",     "TM90",       "tm(1:2)", "TM()",        "TM(:)", "TM(1)", "TM(1:2%)", "TM(2:1)",
          "TM(5%:5%)", "TM(-1%:5%)", "TM(1:2",  "PR(10%:20%)", "pr90",  "iqm",   "average"})
        EXPECT_FALSE(Statistic::Parse(text).has_value()) << text;
}

}  // namespace
}  // namespace espalier::monitor
