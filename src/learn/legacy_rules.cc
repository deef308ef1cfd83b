#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "learn/hyperparameter_rules.h"
#include "learn/hyperparameter_table.h"
#include "learn/python_text.h"

namespace espalier::learn {

namespace {

enum class LegacyType { kInteger, kFloat, kText };

struct LegacyRule {
    std::string_view name;
    LegacyType type = LegacyType::kText;
    Interval interval = {};
    std::string_view range_text = {};  ///< what follows "Parameter '<name>' should be "
    std::vector<std::string_view> options = {};
};

constexpr std::string_view kFromZero = "greater than or equal to 0.";
constexpr std::string_view kPositiveShareText = "in range (0,1].";
constexpr std::string_view kShareText = "in range [0,1].";
constexpr std::string_view kBitText = "either '0' or '1'.";
constexpr Interval kAtLeastZero{.low = 0};
constexpr Interval kShare{.low = 0, .high = 1};
constexpr Interval kPositiveShare{.low = 0, .high = 1, .low_open = true};

const std::vector<LegacyRule>& Rules() {
    using enum LegacyType;
    static const std::vector<LegacyRule> rules = {
        {.name = "_tuning_objective_metric"},
        {.name = "alpha", .type = kFloat},
        {.name = "base_score", .type = kFloat},
        {.name = "booster", .options = {"gbtree", "gblinear", "dart"}},
        {.name = "colsample_bylevel", .type = kFloat, .interval = kPositiveShare, .range_text = kPositiveShareText},
        {.name = "colsample_bytree", .type = kFloat, .interval = kPositiveShare, .range_text = kPositiveShareText},
        {.name = "csv_weights", .type = kInteger, .interval = kShare, .range_text = kBitText},
        {.name = "dsplit", .options = {"row", "col"}},
        {.name = "early_stopping_rounds", .type = kInteger},
        {.name = "eta", .type = kFloat, .interval = kShare, .range_text = kShareText},
        {.name = "eval_metric"},
        {.name = "gamma", .type = kFloat, .interval = kAtLeastZero, .range_text = kFromZero},
        {.name = "grow_policy", .options = {"depthwise", "lossguide"}},
        {.name = "lambda", .type = kFloat},
        {.name = "lambda_bias", .type = kFloat},
        {.name = "max_bins", .type = kInteger},
        {.name = "max_delta_step", .type = kFloat, .interval = kAtLeastZero, .range_text = kFromZero},
        {.name = "max_depth", .type = kInteger, .interval = kAtLeastZero, .range_text = kFromZero},
        {.name = "max_leaves", .type = kInteger, .interval = kAtLeastZero, .range_text = kFromZero},
        {.name = "min_child_weight", .type = kFloat, .interval = kAtLeastZero, .range_text = kFromZero},
        {.name = "normalize_type", .options = {"tree", "forest"}},
        {.name = "nthread", .type = kInteger, .interval = {.low = 1}, .range_text = "greater or equal to 1."},
        {.name = "num_class", .type = kInteger, .interval = {.low = 2}, .range_text = "greater or equal to 2."},
        {.name = "num_round", .type = kInteger, .interval = {.low = 1}, .range_text = "greater or equal to 1."},
        {.name = "num_workers", .type = kInteger},
        {.name = "objective",
         .options = {"reg:linear", "reg:logistic", "binary:logistic", "binary:logitraw", "count:poisson",
                     "multi:softmax", "multi:softprob", "rank:pairwise", "reg:gamma", "reg:tweedie"}},
        {.name = "one_drop", .type = kInteger, .interval = kShare, .range_text = kBitText},
        {.name = "predictor", .options = {"cpu_predictor", "gpu_predictor"}},
        {.name = "prob_buffer_row", .type = kFloat},
        {.name = "process_type", .options = {"default", "update"}},
        {.name = "rate_drop", .type = kFloat, .interval = kShare, .range_text = kShareText},
        {.name = "refresh_leaf", .type = kInteger, .interval = kShare, .range_text = kBitText},
        {.name = "sample_type", .options = {"uniform", "weighted"}},
        {.name = "scale_pos_weight", .type = kFloat},
        {.name = "seed", .type = kInteger},
        {.name = "silent", .type = kInteger, .interval = kShare, .range_text = kBitText},
        {.name = "sketch_eps",
         .type = kFloat,
         .interval = {.low = 0, .high = 1, .low_open = true, .high_open = true},
         .range_text = "in range (0,1)."},
        {.name = "skip_drop", .type = kFloat, .interval = kShare, .range_text = kShareText},
        {.name = "subsample", .type = kFloat, .interval = kPositiveShare, .range_text = kPositiveShareText},
        {.name = "tree_method", .options = {"auto", "exact", "approx", "hist"}},
        {.name = "tweedie_variance_power",
         .type = kFloat,
         .interval = {.low = 1, .high = 2, .low_open = true, .high_open = true},
         .range_text = "in range (1,2)."},
        {.name = "updater"},
        {.name = "worker_cores", .type = kInteger},
        {.name = "worker_memory"},
    };
    return rules;
}

std::string Quoted(const std::vector<std::string_view>& options) {
    std::string text;
    for (const std::string_view option : options) text += fmt::format("{}'{}'", text.empty() ? "" : ", ", option);
    return text;
}

Result<void> CheckOne(const LegacyRule& rule, const std::string& text) {
    double value = 0;
    if (rule.type == LegacyType::kInteger) {
        const auto parsed = ParsePythonInt(text);
        if (!parsed.has_value())
            return UserError(fmt::format("Parameter {} expects integer input. It is '{}'.", rule.name, text));
        value = static_cast<double>(*parsed);
    } else if (rule.type == LegacyType::kFloat) {
        const auto parsed = ParsePythonFloat(text);
        if (!parsed.has_value() || std::isnan(*parsed) || std::isinf(*parsed)) {
            return UserError(fmt::format("Parameter {} expects float input. It is '{}'.", rule.name, text));
        }
        value = *parsed;
    }
    if (!rule.range_text.empty() && !rule.interval.Contains(value)) {
        return UserError(fmt::format("Parameter '{}' should be {}", rule.name, rule.range_text));
    }
    if (!rule.options.empty() && std::find(rule.options.begin(), rule.options.end(), text) == rule.options.end()) {
        return UserError(
            fmt::format("Parameter '{}' should be one of these options: {}.", rule.name, Quoted(rule.options)));
    }
    return {};
}

Result<void> CheckMetrics(const std::string& text, std::string_view objective) {
    static const std::vector<std::string_view> kMetrics = {
        "rmse", "mae", "logloss",         "error",         "merror",         "mlogloss",       "auc",
        "ndcg", "map", "poisson-nloglik", "gamma-nloglik", "gamma-deviance", "tweedie-nloglik"};
    if (text.find('[') != std::string::npos) {
        return UserError("Do not expect bracket for input value of 'eval_metric'. Use format as 'A,B,C...'.");
    }
    for (const std::string& metric : SplitCommas(text)) {
        const std::string base = metric.substr(0, metric.find('@'));
        if (std::find(kMetrics.begin(), kMetrics.end(), base) == kMetrics.end()) {
            return UserError(
                fmt::format("Metric '{}' is not supported. Parameter 'eval_metric' should be one of these options:{}.",
                            metric, Quoted(kMetrics)));
        }
        const bool ranks = objective.starts_with("binary:") || objective.starts_with("multi:") ||
                           objective == "reg:logistic" || objective == "rank:pairwise";
        if (metric == "auc" && !ranks) {
            return UserError("Metric 'auc' can only be applied for classification and ranking problem.");
        }
    }
    return {};
}

}  // namespace

Result<CheckedValues> CheckLegacyRules(const HyperparameterList& list, std::vector<std::string>& warnings) {
    CheckedValues values;
    for (const auto& [name, text] : list) {
        const auto rule =
            std::find_if(Rules().begin(), Rules().end(), [&](const LegacyRule& known) { return known.name == name; });
        if (rule == Rules().end()) {
            warnings.push_back(fmt::format("Hyperparameter '{}' is not known to this image and is ignored.", name));
            continue;
        }
        TRY(CheckOne(*rule, text));
        values.insert_or_assign(name, text);
    }
    if (values.count("num_round") == 0) return UserError("Require input for parameter num_round");
    const std::string objective = values.count("objective") > 0 ? values["objective"] : "reg:linear";
    const bool multi = objective.starts_with("multi:");
    if (multi && values.count("num_class") == 0) {
        return UserError("Require input for parameter 'num_class' for multi classification.");
    }
    if (!multi && values.count("num_class") > 0) {
        return UserError(
            "Do not need to setup parameter 'num_class' for learning task other than multi classification.");
    }
    if (values.count("eval_metric") > 0) TRY(CheckMetrics(values["eval_metric"], objective));
    if (values.count("updater") > 0 && values["updater"].find('[') != std::string::npos) {
        return UserError("Do not expect bracket for input value of 'updater'. Use format as 'A,B,C...'.");
    }
    return values;
}

}  // namespace espalier::learn
