// What the trainer needs to know, typed and in range. Made from a user's strings by learn/hyperparameters.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/algorithm_image.h"
#include "base/version_profile.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

enum class GrowPolicy { kDepthwise, kLossguide };

/// How candidates for splits are found (contracts/xgboost.md 4.4 to 4.6).
enum class TreeMethod {
    kAuto,    ///< up to 1.7: exact where it can be, approx for many rows or instances; see tree_method.h
    kHist,    ///< cuts once, from the values and the rows' weights
    kApprox,  ///< cuts anew for every tree, weighted by the hessians
    kExact,   ///< between any two neighbouring values of a node; one instance only
};

/// How rows are sampled when subsample is below 1.
enum class SamplingMethod {
    kUniform,
    kGradientBased,  ///< the more likely, the greater the gradient; see gradient_sampler.h
};

/// What a round does: grow trees, or take the next ones of a model that is given.
enum class ProcessType { kDefault, kUpdate };

/// What is done to a round's trees once they are there (updaters of xgboost); see tree_steps.h.
enum class TreeStep {
    kRefresh,  ///< statistics, and leaves unless refresh_leaf is off, from all rows
    kPrune,    ///< splits below gamma or max_depth are taken back
};

/// How wide the histogram's sums are. kAuto decides by the number of rows of all ranks; see gradient_scale.h.
enum class HistogramWidth { kAuto, kPacked, kWide };

/// What ranks send each other so that each finds the splits of its features: the sums of its rows, or the rows. kAuto
/// decides by which is less; see row_exchange.h.
enum class RankTraffic { kAuto, kSums, kRows };

/// dart's own parameters.
struct DartParams {
    bool weighted = false;  ///< sample_type: trees are dropped by weight, else all alike
    bool forest = false;    ///< normalize_type: the new trees weigh like a dropped forest, else like one tree of it
    float rate_drop = 0;
    float skip_drop = 0;
    bool one_drop = false;
};

struct TrainParams {
    int num_rounds = 1;
    std::string objective = "reg:squarederror";
    int num_class = 0;  ///< 0 unless the objective is multi:*
    std::vector<std::string> eval_metrics;
    std::optional<float> base_score;
    BaseScoreRule base_score_rule = BaseScoreRule::kEstimatedVector;
    float scale_pos_weight = 1;
    float tweedie_variance_power = 1.5F;
    std::string aft_loss_distribution = "normal";  ///< or logistic, extreme
    float aft_loss_distribution_scale = 1;
    std::vector<float> quantile_alphas;  ///< of reg:quantileerror, one group each; else empty
    /// Whose defaults and ranking pairs the engine takes.
    AlgorithmVersion version = AlgorithmVersion::k3_2_0;

    TreeMethod tree_method = TreeMethod::kHist;
    PruningRule pruning_rule = PruningRule::kBefore;
    ProcessType process_type = ProcessType::kDefault;
    std::vector<TreeStep> tree_steps;  ///< in their order; the pruning of kAfterwards is among them once it is decided
    bool refresh_leaf = true;
    model::Booster booster = model::Booster::kGbtree;
    DartParams dart;

    float eta = 0.3F;
    float gamma = 0;
    float lambda = 1;
    float alpha = 0;
    float max_delta_step = 0;
    float min_child_weight = 1;
    int max_depth = 6;   ///< 0: no limit
    int max_leaves = 0;  ///< 0: no limit
    GrowPolicy grow_policy = GrowPolicy::kDepthwise;
    int max_bin = 256;
    int num_parallel_tree = 1;
    /// multi_strategy multi_output_tree: a tree predicts all groups, its leaves hold a value for each.
    bool vector_leaves = false;
    int max_cat_to_onehot = 4;   ///< categorical features with fewer categories are split one against the rest
    int max_cat_threshold = 64;  ///< with more, at most so many categories are on the smaller side
    /// [features] -1, 0 or 1: how the prediction may move with the feature; empty: no constraints.
    std::vector<std::int8_t> monotone_constraints;
    /// Sets of features that may meet on a path; empty: all may.
    std::vector<std::vector<std::uint32_t>> interaction_constraints;

    float subsample = 1;
    float colsample_bytree = 1;
    float colsample_bylevel = 1;
    float colsample_bynode = 1;
    SamplingMethod sampling_method = SamplingMethod::kUniform;
    std::vector<float> feature_weights;  ///< [features] for the column samples; empty: all alike
    std::int64_t seed = 0;

    int early_stopping_rounds = 0;      ///< 0: off
    std::string early_stopping_metric;  ///< of the last data set; empty: the last of eval_metrics
    EarlyStoppingRule early_stopping_rule = EarlyStoppingRule::kSaveBest;
    /// exact: as long as the distinct values of all features are no more, each gets a histogram cell.
    std::size_t exact_cells_max = std::size_t{1} << 18;
    HistogramWidth histogram_width = HistogramWidth::kAuto;
    RankTraffic rank_traffic = RankTraffic::kAuto;
    /// Histograms kept for their children take at most about this much; nodes beyond are added up from their rows,
    /// which gives the same sums.
    std::size_t histogram_bytes_max = std::size_t{512} << 20;

    bool updates() const { return process_type == ProcessType::kUpdate; }
    /// Whether objectives that set leaves to quantiles do so: as in stock, only when a histogram's grower has the last
    /// word about a tree.
    bool refits_leaves() const { return tree_steps.empty() && tree_method != TreeMethod::kExact && !updates(); }
    /// The learning rate of one of the trees a group gets in a round.
    float eta_of_tree() const { return num_parallel_tree == 1 ? eta : eta / static_cast<float>(num_parallel_tree); }
    bool samples_rows_uniformly() const { return subsample < 1 && sampling_method == SamplingMethod::kUniform; }
    bool samples_rows_by_gradient() const { return subsample < 1 && sampling_method == SamplingMethod::kGradientBased; }
    /// Where the gradients of a tree are among those of its round: its group's, or its own when they are sampled.
    std::size_t source_of_tree(std::size_t tree) const {
        return samples_rows_by_gradient() ? tree : tree / static_cast<std::size_t>(num_parallel_tree);
    }
    int num_sources() const { return samples_rows_by_gradient() ? num_groups() * num_parallel_tree : num_groups(); }
    int num_groups() const { return num_class > 1 ? num_class : std::max(1, static_cast<int>(quantile_alphas.size())); }
    int trees_per_round() const { return (vector_leaves ? 1 : num_groups()) * num_parallel_tree; }
};

}  // namespace espalier::learn
