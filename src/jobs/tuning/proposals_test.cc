#include "jobs/tuning/proposals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "jobs/tuning/gaussian_process.h"

namespace espalier::jobs {
namespace {

using nlohmann::json;

SearchSpace Square() {
    return *SearchSpace::Parse({{"ContinuousParameterRanges",
                                 {{{"Name", "x"}, {"MinValue", "0"}, {"MaxValue", "1"}},
                                  {{"Name", "y"}, {"MinValue", "0"}, {"MaxValue", "1"}}}}});
}

double Bowl(const CubePoint& point) {
    return std::pow(point[0] - 0.7, 2) + 0.5 * std::pow(point[1] - 0.2, 2);
}

/// The best value after so many trials, `parallel` at a time.
double BestOf(const SearchSpace& space, std::uint64_t seed, std::size_t trials, std::size_t parallel,
              const std::function<double(const CubePoint&)>& value) {
    std::vector<CubePoint> points;
    double best = 1e9;
    for (std::size_t i = 0; i < trials; ++i) {
        TrialHistory history;
        for (std::size_t k = 0; k < points.size(); ++k) {
            if (k + parallel <= i) {
                history.ended.push_back({points[k], value(points[k])});
            } else {
                history.pending.push_back(points[k]);
            }
        }
        points.push_back(ProposeBayesian(space, seed, i, history));
        best = std::min(best, value(points.back()));
    }
    return best;
}

TEST(Proposals, ASeedGivesTheSamePointsAgain) {
    const SearchSpace space = Square();
    TrialHistory history;
    for (std::uint64_t i = 0; i < 9; ++i) {
        const CubePoint point = ProposeRandom(space, 3, i);
        EXPECT_EQ(point, ProposeRandom(space, 3, i));
        EXPECT_NE(point, ProposeRandom(space, 4, i));
        for (const double coordinate : point) EXPECT_TRUE(coordinate >= 0 && coordinate < 1);
        history.ended.push_back({point, Bowl(point)});
        history.pending = {ProposeRandom(space, 5, i)};
        EXPECT_EQ(ProposeBayesian(space, 3, i, history), ProposeBayesian(space, 3, i, history));
    }
}

TEST(Proposals, BayesianFindsTheBottomOfABowl) {
    EXPECT_LT(BestOf(Square(), 1, 20, 1, Bowl), 1e-4);
    EXPECT_LT(BestOf(Square(), 1, 24, 4, Bowl), 1e-3) << "with four trials under way at a time";
}

TEST(Proposals, BayesianFindsTheWordAndTheNumberTogether) {
    const SearchSpace space =
        *SearchSpace::Parse({{"IntegerParameterRanges", {{{"Name", "n"}, {"MinValue", "1"}, {"MaxValue", "50"}}}},
                             {"CategoricalParameterRanges", {{{"Name", "w"}, {"Values", {"a", "b", "c"}}}}}});
    const auto value = [&](const CubePoint& point) {
        const ParameterValues values = space.Decode(point);
        const double n = std::stod(values.at("n"));
        return (values.at("w") == "b" ? 0.0 : 30.0) + std::abs(n - 33);
    };
    EXPECT_LE(BestOf(space, 2, 25, 1, value), 1.0);
}

TEST(Proposals, NoCombinationIsTriedTwiceWhileOthersAreLeft) {
    const SearchSpace space =
        *SearchSpace::Parse({{"IntegerParameterRanges", {{{"Name", "n"}, {"MinValue", "1"}, {"MaxValue", "12"}}}}});
    std::set<std::string> tried;
    TrialHistory history;
    for (std::uint64_t i = 0; i < 12; ++i) {
        const CubePoint point = ProposeBayesian(space, 1, i, history);
        const bool counts = history.ended.size() >= NumFirstTrials(space);
        const bool is_new = tried.insert(space.Decode(point).at("n")).second;
        EXPECT_TRUE(is_new || !counts) << i;
        history.ended.push_back({point, std::abs(std::stod(space.Decode(point).at("n")) - 4)});
    }
}

TEST(Proposals, LittleImprovementRemainsAtTheBottom) {
    const SearchSpace space = Square();
    TrialHistory history;
    for (std::uint64_t i = 0; i < 6; ++i) {
        const CubePoint point = ProposeBayesian(space, 1, i, history);
        history.ended.push_back({point, Bowl(point)});
    }
    const double early = RemainingImprovement(space, 1, history);
    for (std::uint64_t i = 6; i < 30; ++i) {
        const CubePoint point = ProposeBayesian(space, 1, i, history);
        history.ended.push_back({point, Bowl(point)});
    }
    EXPECT_LT(RemainingImprovement(space, 1, history), 1e-3);
    EXPECT_GT(early, 1e-3);
}

TEST(Proposals, ValuesThatAreAllTheSameAndManyTrialsAreNoTrouble) {
    const SearchSpace space = Square();
    TrialHistory history;
    for (std::uint64_t i = 0; i < 200; ++i) history.ended.push_back({ProposeRandom(space, 1, i), 1.0});
    const CubePoint point = ProposeBayesian(space, 1, 200, history);
    EXPECT_EQ(point.size(), 2U);
    EXPECT_EQ(RemainingImprovement(space, 1, history), 0.0);
}

TEST(GaussianProcess, GoesThroughItsPointsAndIsUnsureBetween) {
    std::vector<std::vector<double>> points;
    std::vector<double> values;
    for (int i = 0; i <= 8; ++i) {
        points.push_back({i / 8.0});
        values.push_back(10 + 3 * std::sin(5 * i / 8.0));
    }
    const GaussianProcess process = GaussianProcess::Fit(points, values);
    for (std::size_t i = 0; i < points.size(); ++i) EXPECT_NEAR(process.Predict(points[i]).mean, values[i], 0.05);
    const std::vector<double> between = {0.4375};
    const std::vector<double> outside = {1.9};
    EXPECT_NEAR(process.Predict(between).mean, 10 + 3 * std::sin(5 * 0.4375), 0.1);
    EXPECT_GT(process.Predict(outside).deviation, 5 * process.Predict(between).deviation);
}

TEST(GaussianProcess, ABelievedPointChangesNoMeanButTheDeviation) {
    const std::vector<double> values = {0.0, 1.0, 0.5};
    const GaussianProcess process = GaussianProcess::Fit({{0.1}, {0.5}, {0.9}}, values);
    const std::vector<double> place = {0.3};
    const GaussianProcess believing = process.Believe(place);
    EXPECT_NEAR(believing.Predict(place).mean, process.Predict(place).mean, 1e-6);
    EXPECT_LT(believing.Predict(place).deviation, 0.7 * process.Predict(place).deviation);
}

}  // namespace
}  // namespace espalier::jobs
