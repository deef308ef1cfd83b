// What differs between the built-in images: one table with a row for each, which training, the control plane and
// hosting all read. Names and ranges of hyperparameters by version are learn/hyperparameter_table.h's.
// Source: contracts/xgboost.md section 0, 1, 3, 4.2. Pinned by version_profile_test.cc. Pure functions.
#pragma once

#include <span>

#include "base/algorithm_image.h"

namespace espalier {

/// How the intercept is found when the user gives none.
enum class BaseScoreRule {
    kHalf,             ///< 0.5, up to xgboost 1.7
    kEstimated,        ///< 3.0: estimated from the labels, but 0.5 for multi:*
    kEstimatedVector,  ///< 3.1 on: for multi:* one intercept per class
};

/// Which rounds the model keeps and what stops it.
enum class EarlyStoppingRule {
    kKeepAll,   ///< up to 1.2: last metric of the last data set, the whole model is kept
    kSaveBest,  ///< 1.3 on: needs validation data and an explicit metric; the model is cut after the best round
};

/// The metric of an objective when the user names none, by the engine's age.
enum class DefaultMetrics {
    kUpTo1_2,  ///< error, merror; auc of binary:logitraw; map of rank:*; gamma-nloglik
    kUpTo1_5,  ///< logloss and mlogloss instead of error and merror
    kUpTo1_7,  ///< logloss of binary:logitraw too
    kFrom2_0,  ///< ndcg@32 and map@32 of rank:*, gamma-deviance
};

/// Which xgboost reads the model file that a job leaves.
enum class ModelRelease {
    /// UBJSON that every xgboost from 1.7 to 3.x loads and predicts with identically. What images before it wrote
    /// themselves (pickles, the old binary format) no xgboost of today reads.
    k1_7,
    k3_2,  ///< UBJSON, byte for byte what stock 3.2 writes
};

/// How a user's mistake begins in FailureReason.
enum class ErrorStyle {
    kClientError,     ///< "ClientError: <message>"
    kFrameworkError,  ///< 0.90 on: "AlgorithmError: framework error: \n<origin>\n<message>, exit code: 1"
};

/// Channels in Pipe mode: never, for every format but libsvm, or no longer.
enum class PipeRule { kNever, kNotLibsvm, kNoLonger };

/// Splits have to change the loss by gamma, or they are taken back afterwards (contracts/xgboost.md 4.3).
enum class PruningRule {
    kNever,       ///< an exact grower named without the pruner: gamma has no effect
    kBefore,      ///< hist and approx from 1.6 on: a split below gamma is not made
    kAfterwards,  ///< up to 1.5, and exact always: grown first, pruned then
};

struct VersionProfile {
    AlgorithmVersion version = AlgorithmVersion::k3_2_0;
    bool legacy = false;             ///< 0.72: its own rules, texts and log lines; unknown names are ignored
    bool aliases = true;             ///< learning_rate and friends are renamed
    bool six_digit_numbers = false;  ///< metric lines print %g instead of %.5f
    bool csv_weights_on_validation = true;
    bool looks_at_accept = true;      ///< replies follow the Accept header; CSV has a line per record, not one for all
    bool auto_is_hist = true;         ///< tree_method auto; else exact or approx, by what is asked for
    bool samples_by_gradient = true;  ///< sampling_method gradient_based works on a CPU
    PruningRule pruning_rule = PruningRule::kBefore;
    bool sorts_metrics = true;  ///< tuning metric and eval_metric are merged and sorted
    PipeRule pipe_rule = PipeRule::kNoLonger;
    EarlyStoppingRule early_stopping_rule = EarlyStoppingRule::kSaveBest;
    BaseScoreRule base_score_rule = BaseScoreRule::kEstimatedVector;
    DefaultMetrics default_metrics = DefaultMetrics::kFrom2_0;
    ModelRelease model_release = ModelRelease::k3_2;
    ErrorStyle error_style = ErrorStyle::kFrameworkError;
    /// No image is imitated: what only the engine knows is taken too (reg:quantileerror, quantile_alpha, metrics as
    /// pre@5).
    bool engine_names = false;
};

/// The row of an image.
const VersionProfile& ProfileOf(AlgorithmVersion version);

/// All of them, oldest first.
std::span<const VersionProfile> VersionProfiles();

}  // namespace espalier
