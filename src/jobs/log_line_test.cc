#include "jobs/log_line.h"

#include <gtest/gtest.h>

namespace espalier::jobs {
namespace {

using Found = std::vector<std::pair<std::string, double>>;

TEST(LogLineTest, ControlCharactersBecomeOctal) {
    EXPECT_EQ(StoredLogLine("[9]\ttrain-merror:0.1\x1b[0m\x7f"), "[9]#011train-merror:0.1#033[0m#177");
    EXPECT_EQ(StoredLogLine("grün"), "grün");
}

TEST(LogLineTest, LongLinesAreCutAtACharacter) {
    EXPECT_EQ(StoredLogLine(std::string(kLogLineBytesMax, 'a')).size(), kLogLineBytesMax);
    EXPECT_EQ(StoredLogLine(std::string(kLogLineBytesMax + 1, 'a')).size(), kLogLineBytesMax);
    EXPECT_EQ(StoredLogLine(std::string(kLogLineBytesMax - 1, 'a') + "ü").size(), kLogLineBytesMax - 1);
}

// Each expectation is what the published regular expression gives in Python's re.
TEST(LogLineTest, FindsWhatThePublishedExpressionsFind) {
    const auto legacy = MetricDefinitionsOf(AlgorithmVersion::kLegacy);
    EXPECT_EQ(FindMetrics("[9]#011train-merror:0.06942#011validation-merror:0.0773", legacy),
              (Found{{"train:merror", 0.06942}, {"validation:merror", 0.0773}}));
    EXPECT_EQ(FindMetrics("[12:00:01] x [3]#011train-rmse:-1.5e-3, more", legacy), (Found{{"train:rmse", -0.0015}}));
    EXPECT_EQ(FindMetrics("[1]#011train-gamma-nloglik:+.5", legacy), (Found{{"train:gamma-nloglik", 0.5}}));
    EXPECT_EQ(FindMetrics("[1]#011train-auc:1.#011train-auc:2e", legacy), (Found{{"train:auc", 2}}));
    EXPECT_EQ(FindMetrics("[0]#011train-merror:nan", legacy), Found{});
    EXPECT_EQ(FindRound("[12:00:01] x [3]#011train-rmse:1"), 3);
    EXPECT_EQ(FindRound("[12:00:01] x [99999999999999999999]"), std::nullopt);
    EXPECT_EQ(FindRound("no [round]"), std::nullopt);
    EXPECT_EQ(FindMetrics("#011train-merror:0.5 [3]", legacy), Found{}) << "the round comes first";
    EXPECT_EQ(FindMetrics("[]#011train-merror:0.5", legacy), Found{});
    EXPECT_EQ(FindMetrics("[3]\ttrain-merror:0.5", legacy), Found{}) << "a raw tab is not what they match";
    EXPECT_EQ(FindMetrics("[3]#011train-accuracy:0.5", legacy), Found{}) << "not a metric of that image";
    EXPECT_EQ(FindMetrics("[3]#011train-accuracy:0.5", MetricDefinitionsOf(AlgorithmVersion::k1_7_1)),
              (Found{{"train:accuracy", 0.5}}));
    EXPECT_EQ(FindMetrics("[3]#011", legacy), Found{});
}

TEST(LogLineTest, DefinitionsAreSortedAndShowTheTabAsText) {
    for (const AlgorithmVersion version : {AlgorithmVersion::kLegacy, AlgorithmVersion::k3_2_0}) {
        const auto definitions = MetricDefinitionsOf(version);
        EXPECT_LE(definitions.size(), 80u);
        for (std::size_t i = 1; i < definitions.size(); ++i) EXPECT_LT(definitions[i - 1].name, definitions[i].name);
    }
    EXPECT_EQ(MetricDefinitionsOf(AlgorithmVersion::kLegacy)[7].regex,
              R"(.*\[[0-9]+\].*#011train-merror:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*)");
}

}  // namespace
}  // namespace espalier::jobs
