#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "learn/hyperparameter_rules.h"
#include "learn/hyperparameter_table.h"
#include "learn/python_text.h"

namespace espalier::learn {

namespace {

std::string Unalias(std::string_view name) {
    if (name == "learning_rate") return "eta";
    if (name == "min_split_loss") return "gamma";
    if (name == "reg_lambda") return "lambda";
    if (name == "reg_alpha") return "alpha";
    return std::string(name);
}

Error CouldNotParse(std::string_view name) {
    return UserError(fmt::format("Hyperparameter {}: could not parse value (caused by ValueError)", name));
}

Error NotInList(std::string_view name, const std::vector<std::string>& given, const std::vector<std::string>& values) {
    return UserError(
        fmt::format("Hyperparameter {}: value {} not in range {}", name, PythonRepr(given), PythonRepr(values)));
}

/// "(1,0,-1)" or "[[1,2],[3]]" without its brackets, split at commas; nothing when brackets do not match.
std::vector<std::string> LiteralMembers(std::string_view text, std::string_view brackets, bool& sound) {
    std::string inner;
    int depth = 0;
    for (const char c : text) {
        if (c == brackets[0]) {
            ++depth;
        } else if (c == brackets[1]) {
            --depth;
            sound = sound && depth >= 0;
        } else if (c != ' ') {
            inner += c;
        }
    }
    sound = sound && depth == 0 && text.find(brackets[0]) != std::string_view::npos;
    std::vector<std::string> members = SplitCommas(inner);
    std::erase(members, "");
    return members;
}

Result<void> CheckLiteral(const HyperparameterRule& rule, const std::string& text) {
    const bool nested = rule.type == HyperparameterType::kNestedList;
    bool sound = true;
    const std::vector<std::string> members = LiteralMembers(text, nested ? "[]" : "()", sound);
    if (!sound) return CouldNotParse(rule.name);
    for (const std::string& member : members) {
        const auto value = ParsePythonInt(member);
        if (!value.has_value()) return CouldNotParse(rule.name);
        const bool allowed = nested ? rule.interval.Contains(static_cast<double>(*value))
                                    : std::find(rule.values.begin(), rule.values.end(), member) != rule.values.end();
        if (allowed) continue;
        return UserError(fmt::format("Hyperparameter {}: value {} not in range {}", rule.name, text,
                                     nested ? rule.interval.ToString() : "[-1, 0, 1]"));
    }
    return {};
}

Result<void> CheckParses(const HyperparameterRule& rule, const std::string& text) {
    switch (rule.type) {
        case HyperparameterType::kInteger:
            if (!ParsePythonInt(text).has_value()) return CouldNotParse(rule.name);
            return {};
        case HyperparameterType::kContinuous:
            if (!ParsePythonFloat(text).has_value()) return CouldNotParse(rule.name);
            return {};
        default:
            return {};
    }
}

Result<void> CheckMetricList(const HyperparameterRule& rule, const std::vector<std::string>& metrics,
                             const std::vector<std::string>& values) {
    for (const std::string& metric : metrics) {
        // Thresholds and functions have rules and texts of their own, between parameters.
        if (metric.find('@') != std::string::npos || metric.find("<function") != std::string::npos) continue;
        if (std::find(values.begin(), values.end(), metric) == values.end()) {
            return NotInList(rule.name, metrics, values);
        }
    }
    return {};
}

Result<void> CheckRange(const HyperparameterRule& rule, const std::string& text, AlgorithmVersion version) {
    const std::vector<std::string> values = ValuesOf(rule, version);
    switch (rule.type) {
        case HyperparameterType::kInteger: {
            const std::int64_t value = ParsePythonInt(text).value();
            if (rule.interval.Contains(static_cast<double>(value))) return {};
            return UserError(
                fmt::format("Hyperparameter {}: {} is not in {}", rule.name, value, rule.interval.ToString()));
        }
        case HyperparameterType::kContinuous: {
            const double value = ParsePythonFloat(text).value();
            if (rule.interval.Contains(value) && !std::isinf(value)) return {};
            return UserError(fmt::format("Hyperparameter {}: {} is not in {}", rule.name, PythonRepr(value),
                                         rule.interval.ToString()));
        }
        case HyperparameterType::kCategory:
            if (std::find(values.begin(), values.end(), text) != values.end()) return {};
            if (rule.name == "tree_method" && version <= AlgorithmVersion::k1_0_1 && text.starts_with("gpu")) {
                return UserError("GPU training is not supported yet.");
            }
            return UserError(fmt::format("Hyperparameter {}: {} is not in {}", rule.name, text, PythonRepr(values)));
        case HyperparameterType::kCommaList: {
            const std::vector<std::string> given = SplitCommas(text);
            if (rule.name == "eval_metric") return CheckMetricList(rule, given, values);
            for (const std::string& value : given) {
                if (std::find(values.begin(), values.end(), value) == values.end()) {
                    return NotInList(rule.name, given, values);
                }
            }
            return {};
        }
        default:
            return CheckLiteral(rule, text);
    }
}

/// Known to the engine and to no image.
bool IsEngineName(std::string_view name, std::string_view text) {
    return name == "quantile_alpha" || name == "eval_metric" || name == "updater" || name == "multi_strategy" ||
           (name == "objective" && text == "reg:quantileerror");
}

Result<void> CheckMetricRules(const CheckedValues& values) {
    const auto metrics = values.find("eval_metric");
    if (metrics == values.end()) return {};
    const auto found = values.find("objective");
    const std::string_view objective = found == values.end() ? "reg:squarederror" : std::string_view(found->second);
    for (const std::string& metric : SplitCommas(metrics->second)) {
        if (metric.find("<function") != std::string::npos) {
            return UserError(fmt::format("User defined evaluation metric {} is not supported yet.", metric));
        }
        if (const std::size_t at = metric.find('@'); at != std::string::npos) {
            const std::string name = metric.substr(0, at);
            const std::string threshold = metric.substr(at + 1);
            if (name != "error" && name != "ndcg" && name != "map") {
                return UserError(fmt::format(
                    "Metric '{}' is not supported. Parameter 'eval_metric' with customized threshold should "
                    "be one of these options: 'error', 'ndcg', 'map'.",
                    metric));
            }
            if (!ParsePythonFloat(threshold).has_value()) {
                return UserError(fmt::format("Threshold value 't' in '{}@t' expects float input.", name));
            }
        }
        if (metric == "auc" && !objective.starts_with("binary:") && !objective.starts_with("rank:")) {
            return UserError("Metric 'auc' can only be applied for classification and ranking problems.");
        }
        if (metric == "aft-nloglik" && objective != "survival:aft") {
            return UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.");
        }
    }
    return {};
}

std::string_view ValueOr(const CheckedValues& values, std::string_view name, std::string_view otherwise) {
    const auto found = values.find(name);
    return found == values.end() ? otherwise : std::string_view(found->second);
}

Result<void> CheckUpdaterRules(const CheckedValues& values) {
    const auto found = values.find("updater");
    if (found == values.end()) return {};
    const std::vector<std::string> updaters = SplitCommas(found->second);
    const auto all_in = [&](std::initializer_list<std::string_view> allowed) {
        return std::all_of(updaters.begin(), updaters.end(), [&](const std::string& updater) {
            return std::find(allowed.begin(), allowed.end(), updater) != allowed.end();
        });
    };
    if (ValueOr(values, "booster", "gbtree") == "gblinear") {
        if (updaters.size() == 1 && all_in({"shotgun", "coord_descent"})) return {};
        return UserError("Linear updater should be one of these options: 'shotgun', 'coord_descent'.");
    }
    if (ValueOr(values, "process_type", "default") == "update") {
        if (all_in({"refresh", "prune"})) return {};
        return UserError("process_type 'update' can only be used with updater 'refresh' and 'prune'");
    }
    if (!all_in({"grow_colmaker", "distcol", "grow_histmaker", "grow_skmaker", "grow_quantile_histmaker", "sync",
                 "refresh", "prune"})) {
        return UserError(
            "Tree updater should be selected from these options: 'grow_colmaker', 'distcol', 'grow_histmaker', "
            "'grow_skmaker', 'grow_quantile_histmaker', 'sync', 'refresh', 'prune', 'shortgun', 'coord_descent'.");
    }
    const auto num_growers = std::count_if(updaters.begin(), updaters.end(), [](const std::string& updater) {
        return updater == "grow_colmaker" || updater == "distcol" || updater == "grow_histmaker" ||
               updater == "grow_skmaker";
    });
    if (num_growers > 1) {
        return UserError(
            "Only one tree grow plugin can be selected. Choose one from thefollowing: 'grow_colmaker', 'distcol', "
            "'grow_histmaker', 'grow_skmaker'");
    }
    return {};
}

Result<void> CheckRulesBetween(const CheckedValues& values, bool engine_names) {
    const std::string_view objective = ValueOr(values, "objective", "");
    if (objective.starts_with("multi:") && values.count("num_class") == 0) {
        return UserError("Require input for parameter 'num_class' for multi-classification");
    }
    TRY(CheckUpdaterRules(values));
    if (engine_names) return {};  // What follows are rules of the images, not of the engine.
    TRY(CheckMetricRules(values));
    const std::string_view tree_method = ValueOr(values, "tree_method", "");
    if (values.count("monotone_constraints") > 0 && tree_method != "exact" && tree_method != "hist") {
        return UserError(
            "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'.");
    }
    if (values.count("interaction_constraints") > 0 && tree_method != "exact" && tree_method != "hist" &&
        tree_method != "approx") {
        return UserError(
            "interaction_constraints can be used only when the tree_method parameter is set to either 'exact', 'hist' "
            "or 'approx'.");
    }
    return {};
}

/// The image's text, then how to mend it.
Error UnknownName(std::string_view name, AlgorithmVersion version) {
    std::string mend = "Remove it";
    if (name == "silent") {
        mend = "Use verbosity (0 to 3) instead; silent ended with image 1.0-1";
    } else if (const std::string_view nearest = NearestRuleName(name, version); !nearest.empty()) {
        mend = fmt::format("Did you mean {}?", nearest);
    }
    return UserError(fmt::format("Extraneous hyperparameter found: {}. Image version {} does not know it. {}{}", name,
                                 ToString(version), mend, mend.ends_with('?') ? "" : "."));
}

}  // namespace

Error UserError(std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Result<CheckedValues> CheckModernRules(const HyperparameterList& list, const VersionProfile& profile) {
    CheckedValues values;
    std::vector<std::string> order;
    for (const auto& [written, text] : list) {
        const std::string name = profile.aliases ? Unalias(written) : written;
        if (values.insert_or_assign(name, text).second) order.push_back(name);
    }
    if (values.count("num_round") == 0) return UserError("Missing required hyperparameter: num_round");
    for (const std::string& name : order) {
        if (profile.engine_names && IsEngineName(name, values[name])) continue;
        const HyperparameterRule* rule = FindRule(name, profile);
        if (rule == nullptr) return UnknownName(name, profile.version);
        TRY(CheckParses(*rule, values[name]));
    }
    for (const std::string& name : order) {
        if (profile.engine_names && IsEngineName(name, values[name])) continue;
        TRY(CheckRange(*FindRule(name, profile), values[name], profile.version));
    }
    TRY(CheckRulesBetween(values, profile.engine_names));
    return values;
}

}  // namespace espalier::learn
