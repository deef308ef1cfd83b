#include "base/version_profile.h"

#include <algorithm>
#include <iterator>

namespace espalier {
namespace {

using enum AlgorithmVersion;
using enum BaseScoreRule;
using enum DefaultMetrics;
using enum EarlyStoppingRule;
using enum ErrorStyle;
using enum PipeRule;
constexpr PruningRule kBefore = PruningRule::kBefore;
constexpr PruningRule kAfterwards = PruningRule::kAfterwards;

// clang-format off
constexpr VersionProfile kProfiles[] = {
    // version  legacy aliases 6 digits weights accept auto  by grad pruning      sorts  pipe        early stop  base score         metrics   model file          errors
    {kLegacy,   true,  false,  true,    false,  false, false, false,   kAfterwards, false, kNever,     kKeepAll,   kHalf,             kUpTo1_2, ModelRelease::k1_7, kClientError},
    {k0_90_1,   false, false,  true,    false,  false, false, false,   kAfterwards, false, kNotLibsvm, kKeepAll,   kHalf,             kUpTo1_2, ModelRelease::k1_7, kFrameworkError},
    {k0_90_2,   false, true,   true,    false,  false, false, false,   kAfterwards, false, kNotLibsvm, kKeepAll,   kHalf,             kUpTo1_2, ModelRelease::k1_7, kFrameworkError},
    {k1_0_1,    false, true,   false,   false,  false, false, false,   kAfterwards, false, kNotLibsvm, kKeepAll,   kHalf,             kUpTo1_2, ModelRelease::k1_7, kFrameworkError},
    {k1_2_1,    false, true,   false,   true,   false, false, false,   kAfterwards, false, kNotLibsvm, kKeepAll,   kHalf,             kUpTo1_2, ModelRelease::k1_7, kFrameworkError},
    {k1_2_2,    false, true,   false,   true,   true,  false, false,   kAfterwards, false, kNotLibsvm, kKeepAll,   kHalf,             kUpTo1_2, ModelRelease::k1_7, kFrameworkError},
    {k1_3_1,    false, true,   false,   true,   true,  false, false,   kAfterwards, false, kNotLibsvm, kSaveBest,  kHalf,             kUpTo1_5, ModelRelease::k1_7, kFrameworkError},
    {k1_5_1,    false, true,   false,   true,   true,  false, false,   kAfterwards, false, kNotLibsvm, kSaveBest,  kHalf,             kUpTo1_5, ModelRelease::k1_7, kFrameworkError},
    {k1_7_1,    false, true,   false,   true,   true,  false, false,   kBefore,     true,  kNotLibsvm, kSaveBest,  kHalf,             kUpTo1_7, ModelRelease::k1_7, kFrameworkError},
    {k3_0_5,    false, true,   false,   true,   true,  true,  false,   kBefore,     true,  kNotLibsvm, kSaveBest,  kEstimated,        kFrom2_0, ModelRelease::k1_7, kFrameworkError},
    {k3_2_0,    false, true,   false,   true,   true,  true,  true,    kBefore,     true,  kNoLonger,  kSaveBest,  kEstimatedVector,  kFrom2_0, ModelRelease::k3_2, kFrameworkError},
};
// clang-format on

}  // namespace

const VersionProfile& ProfileOf(AlgorithmVersion version) {
    return *std::find_if(std::begin(kProfiles), std::end(kProfiles) - 1,
                         [&](const VersionProfile& profile) { return profile.version == version; });
}

std::span<const VersionProfile> VersionProfiles() {
    return kProfiles;
}

}  // namespace espalier
