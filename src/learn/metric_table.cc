#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "learn/metrics/families.h"

namespace espalier::learn {

namespace {

struct Row {
    std::string_view name;
    MetricMaker make;
    bool takes_argument = false;  ///< "name@argument"
    bool takes_minus = false;     ///< "name-", "name@argument-"
};

constexpr Row kTable[] = {
    {"accuracy", MakeScore},
    {"aft-nloglik", MakeSurvival},
    {"auc", MakeCurve},
    {"aucpr", MakeCurve},
    {"balanced_accuracy", MakeScore},
    {"cox-nloglik", MakeSurvival},
    {"error", MakeError, true},
    {"f1", MakeScore},
    {"f1_binary", MakeScore},
    {"f1_macro", MakeScore},
    {"gamma-deviance", MakeElementwise},
    {"gamma-nloglik", MakeElementwise},
    {"interval-regression-accuracy", MakeSurvival},
    {"logloss", MakeElementwise},
    {"mae", MakeElementwise},
    {"map", MakeRanking, true, true},
    {"mape", MakeElementwise},
    {"merror", MakeMulticlass},
    {"mlogloss", MakeMulticlass},
    {"mphe", MakeElementwise},
    {"mse", MakeScore},
    {"ndcg", MakeRanking, true, true},
    {"poisson-nloglik", MakeElementwise},
    {"pre", MakeRanking, true},
    {"precision", MakeScore},
    {"precision_macro", MakeScore},
    {"precision_micro", MakeScore},
    {"quantile", MakeQuantileLoss},
    {"r2", MakeScore},
    {"recall", MakeScore},
    {"recall_macro", MakeScore},
    {"recall_micro", MakeScore},
    {"rmse", MakeElementwise},
    {"rmsle", MakeElementwise},
    {"tweedie-nloglik", MakeTweedieLogLik, true},
};

const Row* FindMetric(std::string_view base) {
    const Row* row = std::find_if(std::begin(kTable), std::end(kTable),
                                  [&](const Row& candidate) { return candidate.name == base; });
    return row == std::end(kTable) ? nullptr : row;
}

MetricName PartsOf(std::string_view name) {
    MetricName parts;
    parts.full = std::string(name);
    const std::size_t at = name.find('@');
    parts.base = std::string(name.substr(0, at));
    if (at != std::string_view::npos) parts.argument = std::string(name.substr(at + 1));
    std::string& end = parts.argument.has_value() ? *parts.argument : parts.base;
    // Not the minus within "aft-nloglik", only one at the end.
    if (end.ends_with('-')) {
        parts.minus = true;
        end.pop_back();
    }
    return parts;
}

}  // namespace

Result<std::unique_ptr<Metric>> MakeMetric(std::string_view name, const TrainParams& params) {
    const MetricName parts = PartsOf(name);
    const Row* row = FindMetric(parts.base);
    if (row != nullptr && (row->takes_argument || !parts.argument.has_value()) && (row->takes_minus || !parts.minus)) {
        return row->make(parts, params);
    }
    std::vector<std::string> names;
    for (const Row& candidate : kTable) {
        names.push_back(fmt::format("{}{}", candidate.name, candidate.takes_argument ? "[@t]" : ""));
    }
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("eval_metric '{}' is not one this build computes. Use one of: {}.", name, fmt::join(names, ", ")));
}

}  // namespace espalier::learn
