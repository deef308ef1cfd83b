#include "learn/tree_method.h"

#include <fmt/format.h>

#include <algorithm>

namespace espalier::learn {

namespace {

constexpr std::uint64_t kExactRowsMax = std::uint64_t{1} << 22;

/// The updaters that grow trees, and the last version that has each.
struct Grower {
    std::string_view name;
    TreeMethod method;
    AlgorithmVersion to = AlgorithmVersion::k3_2_0;
};
constexpr Grower kGrowers[] = {
    {"grow_colmaker", TreeMethod::kExact},
    {"distcol", TreeMethod::kExact, AlgorithmVersion::k1_0_1},
    {"grow_histmaker", TreeMethod::kApprox},
    {"grow_local_histmaker", TreeMethod::kApprox, AlgorithmVersion::k1_5_1},
    {"grow_skmaker", TreeMethod::kApprox, AlgorithmVersion::k1_2_2},
    {"grow_quantile_histmaker", TreeMethod::kHist},
};

bool ExactCan(const TrainParams& params) {
    return params.max_depth > 0 && params.grow_policy == GrowPolicy::kDepthwise && params.max_leaves == 0 &&
           params.colsample_bynode == 1 && !params.samples_rows_by_gradient();
}

}  // namespace

Result<UpdaterChoice> ChooseByUpdaters(const std::vector<std::string>& updaters, AlgorithmVersion version) {
    UpdaterChoice choice;
    bool grows = false;
    for (const std::string& name : updaters) {
        if (name == "sync") continue;  // Gives all instances the trees of one; here they have the same.
        if (name == "refresh" || name == "prune") {
            if (!grows) {
                return Error(ErrorCode::kInvalidArgument,
                             fmt::format("Updater: `{}` can not be used to create new trees. Set `process_type` to "
                                         "`update` if you want to update existing trees, or put 'grow_colmaker' or "
                                         "'grow_histmaker' before it.",
                                         name));
            }
            choice.steps.push_back(name == "refresh" ? TreeStep::kRefresh : TreeStep::kPrune);
            continue;
        }
        const auto* const found =
            std::find_if(std::begin(kGrowers), std::end(kGrowers), [&](const Grower& g) { return g.name == name; });
        if (found == std::end(kGrowers) || version > found->to) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("Unknown tree updater {}: XGBoost {} has none of that name. Use 'grow_colmaker' "
                                     "or 'grow_histmaker', or leave updater out.",
                                     name, ToString(version)));
        }
        choice.method = found->method;
        grows = true;
    }
    if (!grows) {
        return Error(ErrorCode::kInvalidArgument,
                     "Hyperparameter updater: none of those named grows trees. Add one of 'grow_colmaker', "
                     "'grow_histmaker', or leave updater out.");
    }
    return choice;
}

Result<std::vector<TreeStep>> StepsOfUpdate(const std::vector<std::string>& updaters) {
    std::vector<TreeStep> steps;
    for (const std::string& name : updaters) {
        if (name != "refresh" && name != "prune") {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("Updater: `{}` can not be used to modify existing trees. Set `process_type` to "
                                     "`default` if you want to build new trees, or updater to 'refresh', 'prune' or "
                                     "'refresh,prune'.",
                                     name));
        }
        steps.push_back(name == "refresh" ? TreeStep::kRefresh : TreeStep::kPrune);
    }
    return steps;
}

Result<void> CheckTreeMethod(const TrainParams& params) {
    if (params.tree_method != TreeMethod::kExact) return {};
    if (params.colsample_bynode != 1) {
        return Error(ErrorCode::kInvalidArgument,
                     "column sample by node is not yet supported by the exact tree method: leave colsample_bynode out, "
                     "or use tree_method 'hist'.");
    }
    if (params.max_depth == 0) {
        return Error(ErrorCode::kInvalidArgument,
                     "exact tree method doesn't support unlimited depth: set max_depth above 0, or use tree_method "
                     "'hist'.");
    }
    if (params.samples_rows_by_gradient()) {
        return Error(ErrorCode::kInvalidArgument,
                     "Only uniform sampling is supported, gradient-based sampling is only support by the `hist` tree "
                     "method: use sampling_method 'uniform', or tree_method 'hist'.");
    }
    return {};
}

Result<TrainParams> DecideTreeMethod(const TrainParams& params, std::uint64_t total_rows, int num_ranks) {
    TrainParams decided = params;
    if (params.tree_method == TreeMethod::kAuto) {
        const bool exact = num_ranks == 1 && total_rows < kExactRowsMax && ExactCan(params);
        decided.tree_method = exact ? TreeMethod::kExact : TreeMethod::kApprox;
    }
    if (decided.tree_method == TreeMethod::kExact) {
        if (num_ranks > 1) {
            return Error(ErrorCode::kInvalidArgument,
                         "Updater `grow_colmaker` or `exact` tree method doesn't support distributed training: use "
                         "tree_method 'hist' or 'approx', or one instance.");
        }
        if (decided.pruning_rule == PruningRule::kBefore) decided.pruning_rule = PruningRule::kAfterwards;
        // Stock's colmaker does not look at them.
        decided.max_leaves = 0;
        decided.grow_policy = GrowPolicy::kDepthwise;
    }
    if (decided.pruning_rule == PruningRule::kAfterwards) {
        decided.tree_steps.insert(decided.tree_steps.begin(), TreeStep::kPrune);
    }
    return decided;
}

}  // namespace espalier::learn
