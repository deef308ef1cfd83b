#include "hosting/confidence_sequence.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace espalier::hosting {
namespace {

TEST(ConfidenceSequence, NarrowsAroundTheMeanAndNeverLeavesZeroToOne) {
    EXPECT_EQ(ConfidenceSequence({}, 0.05).lower, 0);
    EXPECT_EQ(ConfidenceSequence({}, 0.05).upper, 1);
    double width = 1;
    for (double count : {10.0, 100.0, 1000.0, 100000.0}) {
        const Interval interval = ConfidenceSequence({count, 0.3 * count}, 0.05);
        EXPECT_LT(interval.lower, 0.3);
        EXPECT_GT(interval.upper, 0.3);
        EXPECT_LT(interval.upper - interval.lower, width);
        width = interval.upper - interval.lower;
    }
    EXPECT_LT(width, 0.02);
    EXPECT_EQ(ConfidenceSequence({1000, 0}, 0.05).lower, 0);
    EXPECT_LT(ConfidenceSequence({1000, 0}, 0.05).upper, 0.02);
    EXPECT_EQ(ConfidenceSequence({1000, 1000}, 0.05).upper, 1);
}

/// After how many pairs of outcomes the two are told apart, looking after every one; 0 = not within `most`.
int PairsUntilKnown(std::mt19937_64& dice, double first_mean, double second_mean, int most, int& winner) {
    std::vector<Outcomes> each(2);
    std::bernoulli_distribution first(first_mean);
    std::bernoulli_distribution second(second_mean);
    for (int pair = 1; pair <= most; ++pair) {
        each[0] = {each[0].count + 1, each[0].sum + (first(dice) ? 1 : 0)};
        each[1] = {each[1].count + 1, each[1].sum + (second(dice) ? 1 : 0)};
        winner = KnownBest(each, 0.05, true);
        if (winner >= 0) return pair;
    }
    return 0;
}

TEST(ConfidenceSequence, EqualOnesAreSeldomToldApartHoweverOftenOneLooks) {
    std::mt19937_64 dice(1);
    int wrong = 0;
    int winner = -1;
    for (int trial = 0; trial < 200; ++trial) wrong += PairsUntilKnown(dice, 0.3, 0.3, 400, winner) > 0 ? 1 : 0;
    EXPECT_LE(wrong, 10) << "5 % of 200";
}

TEST(ConfidenceSequence, TheBetterOneIsFound) {
    std::mt19937_64 dice(2);
    for (int trial = 0; trial < 20; ++trial) {
        int winner = -1;
        EXPECT_GT(PairsUntilKnown(dice, 0.2, 0.4, 2000, winner), 0);
        EXPECT_EQ(winner, 1);
    }
    const std::vector<Outcomes> three = {{1000, 300}, {1000, 100}, {1000, 310}};
    EXPECT_EQ(KnownBest(three, 0.05, false), 1);
    EXPECT_EQ(KnownBest(three, 0.05, true), -1) << "two are too close";
    EXPECT_EQ(KnownBest(std::span(three).first(1), 0.05, true), -1);
}

}  // namespace
}  // namespace espalier::hosting
