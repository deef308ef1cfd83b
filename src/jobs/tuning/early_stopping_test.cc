#include "jobs/tuning/early_stopping.h"

#include <gtest/gtest.h>

#include <map>

namespace espalier::jobs {
namespace {

TEST(MedianRule, StopsWhatIsWorseThanTheMedianOfRunningAverages) {
    const std::vector<RoundValues> completed = {{5, 4, 3, 2}, {6, 5, 4, 3}, {9, 9, 9, 9}};
    // Averages up to round 3: 4, 5, 9.
    EXPECT_FALSE(MedianRuleStops({7, 6, 5}, completed));
    EXPECT_TRUE(MedianRuleStops({7, 6, 5.1}, completed));
    EXPECT_FALSE(MedianRuleStops({9, 9}, completed)) << "too early to tell";
    EXPECT_FALSE(MedianRuleStops({9, 9, 9}, std::vector<RoundValues>(completed.begin(), completed.begin() + 2)))
        << "too few to compare with";
    EXPECT_TRUE(MedianRuleStops({7, 6, 5.5, 5.5, 5.5, 5.5}, completed)) << "a shorter trial counts with what it has";
}

TEST(Halving, RungsGrowThreefold) {
    EXPECT_EQ(HalvingRungs(1, 30), (std::vector<std::int64_t>{1, 3, 9, 27}));
    EXPECT_EQ(HalvingRungs(5, 45), (std::vector<std::int64_t>{5, 15}));
    EXPECT_TRUE(HalvingRungs(7, 7).empty());
}

TEST(Halving, BracketsGetHyperbandsShares) {
    std::map<std::size_t, int> counts;
    for (std::uint64_t number = 0; number < 206; ++number) ++counts[BracketOf(number, 4)];
    // ceil(5 / (s + 1) 3^s) for s = 4..0: 81, 34, 15, 8, 5 of 143.
    EXPECT_NEAR(counts[0], 206 * 81 / 143.0, 1);
    EXPECT_NEAR(counts[1], 206 * 34 / 143.0, 1);
    EXPECT_NEAR(counts[4], 206 * 5 / 143.0, 1);
    EXPECT_EQ(BracketOf(5, 0), 0U) << "without rungs there is one bracket";
}

TEST(Halving, OnlyTheBestThirdOfARungGoesOn) {
    const std::vector<std::int64_t> rungs = {1, 3};
    const std::vector<RoundValues> others = {{5.0}, {4.0}, {3.0}, {6.0}, {7.0}};
    EXPECT_FALSE(HalvingStops({3.5}, others, 0, rungs)) << "second of six";
    EXPECT_TRUE(HalvingStops({4.5}, others, 0, rungs)) << "third of six";
    EXPECT_FALSE(HalvingStops({4.5}, std::vector<RoundValues>{{1.0}}, 0, rungs)) << "among two nobody is judged";
    EXPECT_FALSE(HalvingStops({4.5}, others, 1, rungs)) << "its bracket is first judged at three rounds";
    EXPECT_FALSE(HalvingStops({}, others, 0, rungs));
}

TEST(Halving, ATrialThatWentPastARungIsJudgedByItsValueThere) {
    const std::vector<std::int64_t> rungs = {1, 3};
    const std::vector<RoundValues> others = {{1.0, 1.0, 1.0}, {2.0, 2.0, 2.0}, {9.0}};
    EXPECT_TRUE(HalvingStops({3.0, 0.1, 0.1, 0.1}, others, 0, rungs));
    EXPECT_TRUE(HalvingStops({0.5, 5.0, 5.0}, others, 0, rungs)) << "well at the first rung, not at the second";
}

}  // namespace
}  // namespace espalier::jobs
