#include "learn/version_profile.h"

namespace espalier::learn {

VersionProfile ProfileOf(AlgorithmVersion version) {
    VersionProfile profile;
    profile.version = version;
    profile.legacy = version == AlgorithmVersion::kLegacy;
    profile.aliases = version >= AlgorithmVersion::k0_90_2;
    profile.sorts_metrics = version >= AlgorithmVersion::k1_7_1;
    profile.six_digit_numbers = version < AlgorithmVersion::k1_0_1;
    profile.csv_weights_on_validation = version >= AlgorithmVersion::k1_2_1;
    profile.pipe_rule = profile.legacy                        ? PipeRule::kNever
                        : version >= AlgorithmVersion::k3_2_0 ? PipeRule::kNoLonger
                                                              : PipeRule::kNotLibsvm;
    profile.base_score_rule = version >= AlgorithmVersion::k3_2_0   ? BaseScoreRule::kEstimatedVector
                              : version >= AlgorithmVersion::k3_0_5 ? BaseScoreRule::kEstimated
                                                                    : BaseScoreRule::kHalf;
    profile.early_stopping_rule =
        version >= AlgorithmVersion::k1_3_1 ? EarlyStoppingRule::kSaveBest : EarlyStoppingRule::kKeepAll;
    return profile;
}

}  // namespace espalier::learn
