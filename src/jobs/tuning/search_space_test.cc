#include "jobs/tuning/search_space.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace espalier::jobs {
namespace {

using nlohmann::json;

json Range(const char* name, const char* min, const char* max, const char* scaling = "Auto") {
    return {{"Name", name}, {"MinValue", min}, {"MaxValue", max}, {"ScalingType", scaling}};
}

SearchSpace Parse(const json& ranges) {
    auto space = SearchSpace::Parse(ranges);
    EXPECT_TRUE(space) << space.error().ToString();
    return *space;
}

TEST(SearchSpace, IntegersAreReachedEvenlyWithBothEnds) {
    const SearchSpace space = Parse({{"IntegerParameterRanges", {Range("depth", "1", "4")}}});
    std::map<std::string, int> counts;
    for (int i = 0; i < 4000; ++i) ++counts[space.Decode({(i + 0.5) / 4000.0}).at("depth")];
    EXPECT_EQ(counts, (std::map<std::string, int>{{"1", 1000}, {"2", 1000}, {"3", 1000}, {"4", 1000}}));
}

TEST(SearchSpace, ScalesMakeEqualStepsEqual) {
    const SearchSpace space = Parse({{"ContinuousParameterRanges",
                                      {Range("log", "0.01", "100", "Logarithmic"), Range("line", "0", "10", "Linear"),
                                       Range("late", "0.9", "0.999", "ReverseLogarithmic")}}});
    const ParameterValues middle = space.Decode({0.5, 0.5, 0.5});
    EXPECT_NEAR(std::stod(middle.at("log")), 1.0, 1e-12);
    EXPECT_NEAR(std::stod(middle.at("line")), 5.0, 1e-12);
    EXPECT_NEAR(std::stod(middle.at("late")), 0.99, 1e-12);
}

TEST(SearchSpace, AutoIsLogarithmicForWideRangesOnly) {
    const SearchSpace space = Parse(
        {{"ContinuousParameterRanges", {Range("a", "0.001", "1"), Range("b", "0.1", "0.5"), Range("c", "0", "100")}}});
    EXPECT_EQ(space.parameters()[0].scaling, ScalingType::kLogarithmic);
    EXPECT_EQ(space.parameters()[1].scaling, ScalingType::kLinear);
    EXPECT_EQ(space.parameters()[2].scaling, ScalingType::kLinear);
}

TEST(SearchSpace, EncodeIsTheWayBack) {
    const SearchSpace space =
        Parse({{"IntegerParameterRanges", {Range("depth", "1", "12"), Range("leaves", "1", "4096", "Logarithmic")}},
               {"ContinuousParameterRanges", {Range("eta", "0.001", "1", "Logarithmic")}},
               {"CategoricalParameterRanges", {{{"Name", "booster"}, {"Values", {"gbtree", "dart", "gblinear"}}}}}});
    for (int i = 0; i < 50; ++i) {
        const double t = i / 50.0;
        const ParameterValues values = space.Decode({t, 1 - t - 1e-9, std::fmod(3 * t, 1.0), std::fmod(7 * t, 1.0)});
        const CubePoint point = space.Encode(values);
        EXPECT_EQ(space.Decode(point).at("booster"), values.at("booster"));
        EXPECT_EQ(space.Decode(point).at("depth"), values.at("depth"));
        EXPECT_EQ(space.Decode(point).at("leaves"), values.at("leaves"));
        EXPECT_NEAR(std::stod(space.Decode(point).at("eta")), std::stod(values.at("eta")), 1e-12);
    }
    EXPECT_TRUE(space.Encode({{"another", "1"}}).empty());
}

TEST(SearchSpace, FeaturesSetWordsApart) {
    const SearchSpace space =
        Parse({{"IntegerParameterRanges", {Range("depth", "1", "3")}},
               {"CategoricalParameterRanges", {{{"Name", "booster"}, {"Values", {"gbtree", "dart"}}}}}});
    EXPECT_EQ(space.num_features(), 3U);
    EXPECT_EQ(space.Features({0.0, 0.9}), space.Features({0.2, 0.6})) << "both are depth 1, dart";
    const std::vector<double> features = space.Features({0.5, 0.1});
    EXPECT_EQ((std::vector<double>{features[1], features[2]}), (std::vector<double>{1.0, 0.0}));
}

TEST(SearchSpace, TheGridTurnsTheLastParameterFastest) {
    const SearchSpace space =
        Parse({{"CategoricalParameterRanges",
                {{{"Name", "a"}, {"Values", {"x", "y"}}}, {{"Name", "b"}, {"Values", {"1", "2", "3"}}}}}});
    ASSERT_EQ(space.num_combinations(), 6U);
    std::string seen;
    for (std::uint64_t i = 0; i < 6; ++i) {
        const ParameterValues values = space.Decode(space.Combination(i));
        seen += values.at("a") + values.at("b") + " ";
    }
    EXPECT_EQ(seen, "x1 x2 x3 y1 y2 y3 ");
    EXPECT_EQ(Parse({{"IntegerParameterRanges", {Range("depth", "1", "3")}}}).num_combinations(), 0U);
}

TEST(SearchSpace, RefusesWhatCannotBeSearchedByName) {
    const auto refusal = [](const json& ranges) {
        const auto space = SearchSpace::Parse(ranges);
        return space ? "accepted" : space.error().message();
    };
    EXPECT_NE(refusal({{"IntegerParameterRanges", {Range("depth", "1.5", "3")}}}).find("depth has MinValue \"1.5\""),
              std::string::npos);
    EXPECT_NE(refusal({{"ContinuousParameterRanges", {Range("eta", "x", "3")}}}).find("is no number"),
              std::string::npos);
    EXPECT_NE(refusal({{"ContinuousParameterRanges", {Range("eta", "nan", "3")}}}).find("is no number"),
              std::string::npos);
    EXPECT_NE(refusal({{"ContinuousParameterRanges", {Range("eta", "3", "1")}}}).find("above MaxValue"),
              std::string::npos);
    EXPECT_NE(refusal({{"ContinuousParameterRanges", {Range("eta", "0", "1", "Logarithmic")}}}).find("above 0"),
              std::string::npos);
    EXPECT_NE(refusal({{"ContinuousParameterRanges", {Range("eta", "0", "1", "ReverseLogarithmic")}}}).find("[0, 1)"),
              std::string::npos);
    EXPECT_NE(
        refusal({{"ContinuousParameterRanges", {Range("eta", "0", "1"), Range("eta", "0", "1")}}}).find("two ranges"),
        std::string::npos);
}

}  // namespace
}  // namespace espalier::jobs
