#include "base/version_profile.h"

#include <gtest/gtest.h>

namespace espalier {
namespace {

using enum AlgorithmVersion;

TEST(VersionProfile, HasARowForEachImage) {
    const auto profiles = VersionProfiles();
    ASSERT_EQ(profiles.size(), static_cast<std::size_t>(k3_2_0) + 1);
    for (std::size_t i = 0; i < profiles.size(); ++i) {
        EXPECT_EQ(profiles[i].version, static_cast<AlgorithmVersion>(i));
        EXPECT_EQ(&ProfileOf(profiles[i].version), &profiles[i]);
    }
}

TEST(VersionProfile, ChangesComeWithTheirVersion) {
    // What is true from a version on, for all versions.
    for (const VersionProfile& profile : VersionProfiles()) {
        const AlgorithmVersion version = profile.version;
        EXPECT_EQ(profile.legacy, version == kLegacy);
        EXPECT_EQ(profile.aliases, version >= k0_90_2);
        EXPECT_EQ(profile.six_digit_numbers, version < k1_0_1);
        EXPECT_EQ(profile.csv_weights_on_validation, version >= k1_2_1);
        EXPECT_EQ(profile.looks_at_accept, version >= k1_2_2);
        EXPECT_EQ(profile.pipe_rule == PipeRule::kNever, version == kLegacy);
        EXPECT_EQ(profile.pipe_rule == PipeRule::kNoLonger, version >= k3_2_0);
        EXPECT_EQ(profile.early_stopping_rule == EarlyStoppingRule::kSaveBest, version >= k1_3_1);
        EXPECT_EQ(profile.sorts_metrics, version >= k1_7_1);
        EXPECT_EQ(profile.base_score_rule == BaseScoreRule::kHalf, version < k3_0_5);
        EXPECT_EQ(profile.base_score_rule == BaseScoreRule::kEstimatedVector, version >= k3_2_0);
        EXPECT_EQ(profile.default_metrics >= DefaultMetrics::kUpTo1_5, version >= k1_3_1);
        EXPECT_EQ(profile.default_metrics >= DefaultMetrics::kUpTo1_7, version >= k1_7_1);
        EXPECT_EQ(profile.default_metrics >= DefaultMetrics::kFrom2_0, version >= k3_0_5);
        EXPECT_EQ(profile.model_release == ModelRelease::k3_2, version >= k3_2_0);
        EXPECT_EQ(profile.error_style == ErrorStyle::kClientError, version == kLegacy);
        EXPECT_FALSE(profile.engine_names);
    }
}

}  // namespace
}  // namespace espalier
