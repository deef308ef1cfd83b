#include "learn/hyperparameter_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace espalier::learn {

namespace {

using enum HyperparameterType;
using enum AlgorithmVersion;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Interval kAtLeastZero{.low = 0};
constexpr Interval kAtLeastOne{.low = 1};
constexpr Interval kAboveZero{.low = 0, .low_open = true};
constexpr Interval kShare{.low = 0, .high = 1};
constexpr Interval kPositiveShare{.low = 0, .high = 1, .low_open = true};
constexpr Interval kZeroOrOne{.low = 0, .high = 1};

const HyperparameterRule kTable[] = {
    {.name = "_kfold", .type = kInteger, .interval = {.low = 2}, .from = k1_2_2},
    {.name = "_nfold", .type = kInteger, .interval = {.low = 2}, .from = k1_2_1, .to = k1_2_1},
    {.name = "_num_cv_round", .type = kInteger, .interval = kAtLeastOne, .from = k1_2_2},
    {.name = "_tuning_objective_metric", .type = kCategory},
    {.name = "aft_loss_distribution", .type = kCategory, .values = {"normal", "logistic", "extreme"}, .from = k1_2_1},
    {.name = "aft_loss_distribution_scale", .interval = kAtLeastZero, .from = k1_2_1},
    {.name = "alpha", .interval = kAtLeastZero},
    {.name = "base_score", .interval = kAtLeastZero},
    {.name = "booster", .type = kCategory, .values = {"gbtree", "gblinear", "dart"}},
    {.name = "colsample_bylevel", .interval = kPositiveShare},
    {.name = "colsample_bynode", .interval = kPositiveShare},
    {.name = "colsample_bytree", .interval = kPositiveShare},
    {.name = "csv_weights", .type = kInteger, .interval = kZeroOrOne},
    {.name = "deterministic_histogram", .type = kCategory, .values = {"true", "false"}, .from = k1_2_1},
    {.name = "dsplit", .type = kCategory, .values = {"row", "col"}},
    {.name = "early_stopping_rounds", .type = kInteger, .interval = kAtLeastOne},
    {.name = "eta", .interval = kShare},
    {.name = "eval_metric", .type = kCommaList},
    {.name = "gamma", .interval = kAtLeastZero},
    {.name = "grow_policy", .type = kCategory, .values = {"depthwise", "lossguide"}},
    // Upstream asks for 1 or more, which shuts out feature 0 by mistake.
    {.name = "interaction_constraints", .type = kNestedList, .interval = kAtLeastZero, .from = k1_0_1},
    {.name = "lambda", .interval = kAtLeastZero},
    {.name = "lambda_bias", .interval = kShare},
    {.name = "max_bin", .type = kInteger, .interval = kAtLeastZero},
    {.name = "max_cat_threshold", .type = kInteger, .interval = kAtLeastOne, .engine_only = true},
    {.name = "max_cat_to_onehot", .type = kInteger, .interval = kAtLeastOne, .engine_only = true},
    {.name = "max_delta_step", .interval = kAtLeastZero},
    {.name = "max_depth", .type = kInteger, .interval = kAtLeastZero},
    {.name = "max_leaves", .type = kInteger, .interval = kAtLeastZero},
    {.name = "min_child_weight", .interval = kAtLeastZero},
    {.name = "monotone_constraints", .type = kTuple, .values = {"-1", "0", "1"}, .from = k1_0_1},
    {.name = "normalize_type", .type = kCategory, .values = {"tree", "forest"}},
    {.name = "nthread", .type = kInteger, .interval = kAtLeastOne},
    {.name = "num_class", .type = kInteger, .interval = {.low = 2}},
    {.name = "num_parallel_tree", .type = kInteger, .interval = kAtLeastOne, .from = k0_90_2},
    {.name = "num_round", .type = kInteger, .interval = kAtLeastOne},
    {.name = "objective", .type = kCategory},
    {.name = "one_drop", .type = kInteger, .interval = kZeroOrOne},
    {.name = "predictor", .type = kCategory, .values = {"cpu_predictor"}, .to = k1_0_1},
    {.name = "predictor", .type = kCategory, .values = {"auto", "cpu_predictor", "gpu_predictor"}, .from = k1_2_1},
    {.name = "prob_buffer_row", .interval = {.low = 1, .low_open = true}, .from = k1_3_1},
    {.name = "process_type", .type = kCategory, .values = {"default", "update"}},
    {.name = "rate_drop", .interval = kShare},
    {.name = "refresh_leaf", .type = kInteger, .interval = kZeroOrOne},
    {.name = "sample_type", .type = kCategory, .values = {"uniform", "weighted"}},
    {.name = "sampling_method", .type = kCategory, .values = {"uniform", "gradient_based"}, .from = k1_3_1},
    {.name = "save_model_on_termination", .type = kCategory, .values = {"true", "false"}, .from = k1_0_1},
    {.name = "scale_pos_weight", .interval = kAboveZero},
    {.name = "seed",
     .type = kInteger,
     .interval = {.low = -2147483648.0, .high = 2147483647.0, .low_open = true, .high_open = true}},
    {.name = "silent", .type = kInteger, .interval = kZeroOrOne, .to = k1_0_1},
    {.name = "single_precision_histogram",
     .type = kCategory,
     .values = {"true", "false"},
     .from = k1_2_1,
     .to = k1_5_1},
    {.name = "sketch_eps", .interval = {.low = 0, .high = 1, .low_open = true, .high_open = true}},
    {.name = "skip_drop", .interval = kShare},
    {.name = "subsample", .interval = kPositiveShare},
    {.name = "tree_method", .type = kCategory, .values = {"auto", "exact", "approx", "hist"}, .to = k1_0_1},
    {.name = "tree_method",
     .type = kCategory,
     .values = {"auto", "exact", "approx", "hist", "gpu_hist"},
     .from = k1_2_1},
    {.name = "tweedie_variance_power", .interval = {.low = 1, .high = 2, .low_open = true, .high_open = true}},
    {.name = "updater",
     .type = kCommaList,
     .values = {"grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker", "grow_skmaker", "sync", "refresh",
                "prune", "shotgun", "coord_descent"},
     .to = k1_5_1},
    {.name = "updater",
     .type = kCommaList,
     .values = {"grow_colmaker", "distcol", "grow_histmaker", "grow_skmaker", "sync", "refresh", "prune", "shotgun",
                "coord_descent"},
     .from = k1_7_1},
    {.name = "use_dask_gpu_training", .type = kCategory, .values = {"true", "false"}, .from = k1_7_1},
    {.name = "verbosity", .type = kInteger, .interval = {.low = 0, .high = 3}},
};

std::vector<std::string> ObjectiveNames(AlgorithmVersion version) {
    std::vector<std::string> names;
    if (version >= k1_2_1) names.emplace_back("aft_loss_distribution");  // Listed by mistake upstream.
    for (const char* name :
         {"binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob",
          "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma"}) {
        names.emplace_back(name);
    }
    if (version >= k1_2_1) names.emplace_back("reg:pseudohubererror");
    if (version >= k1_0_1) names.emplace_back("reg:squaredlogerror");
    if (version >= k3_0_5) names.emplace_back("reg:absoluteerror");
    names.emplace_back("reg:tweedie");
    if (version >= k1_2_1) names.emplace_back("survival:aft");
    names.emplace_back("survival:cox");
    return names;
}

}  // namespace

std::string Interval::ToString() const {
    const std::string left = low == -kInfinity ? "(-inf" : fmt::format("{}{:.17g}", low_open ? '(' : '[', low);
    return left + (high == kInfinity ? ", +inf)" : fmt::format(", {:.17g}{}", high, high_open ? ')' : ']'));
}

const HyperparameterRule* FindRule(std::string_view name, const VersionProfile& profile) {
    const auto rule = std::find_if(std::begin(kTable), std::end(kTable), [&](const HyperparameterRule& r) {
        return r.name == name && profile.version >= r.from && profile.version <= r.to &&
               (profile.engine_names || !r.engine_only);
    });
    return rule == std::end(kTable) ? nullptr : rule;
}

namespace {

/// Number of letters to insert, drop, change or swap with their neighbour.
std::size_t EditDistance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            cost[i][j] =
                std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

}  // namespace

std::string_view NearestRuleName(std::string_view name, AlgorithmVersion version) {
    constexpr std::size_t kErrorsMax = 2;
    constexpr std::size_t kNameSizeMax = 64;  // A name is user input of up to 256 bytes; none of ours is that long.
    std::string_view nearest;
    if (name.size() > kNameSizeMax) return nearest;
    std::size_t least = kErrorsMax + 1;
    for (const HyperparameterRule& rule : kTable) {
        if (version < rule.from || version > rule.to || rule.engine_only) continue;
        const std::size_t distance = EditDistance(name, rule.name);
        // Short names are all alike: two errors turn "eta" into anything.
        if (distance < least && distance * 3 <= rule.name.size()) {
            least = distance;
            nearest = rule.name;
        }
    }
    return nearest;
}

std::vector<std::string> MetricNames(AlgorithmVersion version) {
    if (version < k1_0_1) {
        return {"accuracy", "auc",  "aucpr",           "cox-nloglik",     "f1",    "gamma-nloglik",
                "map",      "ndcg", "poisson-nloglik", "tweedie-nloglik", "error", "gamma-deviance",
                "logloss",  "mae",  "merror",          "mlogloss",        "mse",   "rmse"};
    }
    const bool f1_kinds = version >= k1_2_2;
    const bool full = version >= k1_3_1;
    std::vector<std::string> names = {"accuracy", "auc", "aucpr"};
    if (full) names.emplace_back("balanced_accuracy");
    names.emplace_back("f1");
    if (f1_kinds) names.insert(names.end(), {"f1_binary", "f1_macro"});
    names.insert(names.end(), {"map", "ndcg"});
    if (full) names.emplace_back("precision");
    if (version >= k1_2_1) names.emplace_back("r2");
    if (full) {
        names.insert(names.end(), {"recall", "precision_macro", "precision_micro", "recall_macro", "recall_micro"});
    }
    if (version >= k1_2_1) names.emplace_back("aft-nloglik");
    names.insert(names.end(), {"cox-nloglik", "error", "gamma-deviance", "gamma-nloglik"});
    if (version >= k1_2_1) names.emplace_back("interval-regression-accuracy");
    names.insert(names.end(), {"logloss", "mae"});
    if (full) names.emplace_back("mape");
    names.insert(names.end(), {"merror", "mlogloss"});
    if (version >= k1_2_1) names.emplace_back("mphe");
    names.insert(names.end(), {"mse", "poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik"});
    return names;
}

std::vector<std::string> ValuesOf(const HyperparameterRule& rule, AlgorithmVersion version) {
    if (rule.name == "objective") return ObjectiveNames(version);
    if (rule.name == "eval_metric") return MetricNames(version);
    if (rule.name == "_tuning_objective_metric") {
        std::vector<std::string> names;
        for (const std::string& metric : MetricNames(version)) names.push_back("validation:" + metric);
        return names;
    }
    return rule.values;
}

}  // namespace espalier::learn
