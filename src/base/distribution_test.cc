#include "base/distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace espalier {
namespace {

TEST(Distribution, FewValuesAreExact) {
    Distribution values;
    EXPECT_TRUE(values.empty());
    EXPECT_FALSE(values.Percentile(50).has_value());
    for (double value : {5.0, 1.0, 4.0, 2.0, 3.0}) values.Add(value);
    values.Add(10, 5);
    EXPECT_EQ(values.summary().count, 10);
    EXPECT_EQ(values.summary().sum, 65);
    EXPECT_EQ(values.average(), 6.5);
    EXPECT_EQ(values.Percentile(0.1), 1);
    EXPECT_EQ(values.Percentile(10), 1);
    EXPECT_EQ(values.Percentile(50), 5);
    EXPECT_EQ(values.Percentile(50.1), 10);
    EXPECT_EQ(values.Percentile(100), 10);
}

TEST(Distribution, ManyValuesAreWithinHalfAPercent) {
    std::mt19937_64 dice(7);
    std::lognormal_distribution<double> draw(6, 2);
    std::vector<double> drawn(20'000);
    Distribution values;
    for (double& value : drawn) {
        value = draw(dice);
        values.Add(value);
        values.Add(-value);
    }
    std::sort(drawn.begin(), drawn.end());
    EXPECT_LT(values.ValuesText().size(), 200'000U);
    EXPECT_EQ(values.summary().maximum, drawn.back());
    EXPECT_EQ(values.summary().minimum, -drawn.back());
    for (double percent : {60.0, 75.0, 90.0, 99.0, 99.9}) {
        // The upper half of the mirrored values is `drawn`.
        const auto rank = static_cast<std::size_t>((percent - 50) / 50 * static_cast<double>(drawn.size()));
        EXPECT_NEAR(*values.Percentile(percent), drawn[rank - 1], drawn[rank - 1] * 0.006) << percent;
    }
}

TEST(Distribution, SummariesEndPercentilesUnlessTheySayAll) {
    Distribution values;
    values.AddSummary({.count = 3, .sum = 6, .minimum = 2, .maximum = 2});
    values.AddSummary({});
    EXPECT_EQ(values.Percentile(90), 2);
    values.AddSummary({.count = 2, .sum = 7, .minimum = 1, .maximum = 6});
    EXPECT_FALSE(values.Percentile(90).has_value());
    EXPECT_EQ(values.summary().count, 5);
    EXPECT_EQ(values.summary().sum, 13);
    EXPECT_EQ(values.summary().minimum, 1);
    EXPECT_EQ(values.summary().maximum, 6);
    Distribution other;
    other.Add(100);
    other.Merge(values);
    EXPECT_EQ(other.summary().count, 6);
    EXPECT_FALSE(other.Percentile(50).has_value());
}

TEST(Distribution, TextBringsItBack) {
    Distribution exact;
    exact.Add(0.1, 2);
    exact.Add(-3e300);
    Distribution coarse;
    for (int i = 0; i < 1000; ++i) coarse.Add(i * 1.7);
    Distribution summary;
    summary.AddSummary({.count = 2, .sum = 7, .minimum = 1, .maximum = 6});
    for (const Distribution* each : {&exact, &coarse, &summary}) {
        Distribution back = Distribution::FromText(each->summary(), each->ValuesText()).value();
        EXPECT_EQ(back.ValuesText(), each->ValuesText());
        EXPECT_EQ(back.Percentile(33), each->Percentile(33));
        back.Merge(coarse);
        EXPECT_EQ(back.summary().count, each->summary().count + 1000);
    }
    for (const char* damaged : {"1", "1:", "1:2,", "a:1", "1:2 ", "1:inf", "~1:2 x"}) {
        auto read = Distribution::FromText({}, damaged);
        EXPECT_EQ(read.has_value(), std::string(damaged) == "1:2 ") << damaged;
    }
}

}  // namespace
}  // namespace espalier
