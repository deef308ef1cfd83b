// What differs between the versions of the built-in algorithm: one struct, one table.
// Source: contracts/xgboost.md section 0, 1, 3. Pinned by hyperparameters_test.cc. Pure functions.
#pragma once

#include "base/algorithm_image.h"
#include "learn/train_params.h"

namespace espalier::learn {

/// Channels in Pipe mode: never, for every format but libsvm, or no longer.
enum class PipeRule { kNever, kNotLibsvm, kNoLonger };

struct VersionProfile {
    AlgorithmVersion version = AlgorithmVersion::k3_2_0;
    bool legacy = false;             ///< 0.72: its own rules, texts and log lines
    bool aliases = true;             ///< learning_rate and friends are renamed
    bool sorts_metrics = true;       ///< tuning metric and eval_metric are merged and sorted
    bool six_digit_numbers = false;  ///< metric lines print %g instead of %.5f
    bool csv_weights_on_validation = true;
    /// No image is imitated: what only the engine knows is taken too (reg:quantileerror, quantile_alpha, metrics as
    /// pre@5).
    bool engine_names = false;
    PipeRule pipe_rule = PipeRule::kNotLibsvm;
    BaseScoreRule base_score_rule = BaseScoreRule::kEstimatedVector;
    EarlyStoppingRule early_stopping_rule = EarlyStoppingRule::kSaveBest;
};

VersionProfile ProfileOf(AlgorithmVersion version);

}  // namespace espalier::learn
