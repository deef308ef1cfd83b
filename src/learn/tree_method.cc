#include "learn/tree_method.h"

#include <fmt/format.h>

#include <algorithm>

namespace espalier::learn {

namespace {

constexpr std::uint64_t kExactRowsMax = std::uint64_t{1} << 22;

bool ExactCan(const TrainParams& params) {
    return params.max_depth > 0 && params.grow_policy == GrowPolicy::kDepthwise && params.max_leaves == 0 &&
           params.colsample_bynode == 1 && !params.samples_rows_by_gradient();
}

}  // namespace

Result<UpdaterChoice> ChooseByUpdaters(const std::vector<std::string>& updaters) {
    const auto has = [&](std::string_view name) {
        return std::find(updaters.begin(), updaters.end(), name) != updaters.end();
    };
    UpdaterChoice choice;
    choice.prunes = has("prune");
    if (has("refresh")) {
        return Error(ErrorCode::kInvalidArgument,
                     "Hyperparameter updater: 'refresh' after growing trees is not implemented by this build. Leave it "
                     "out, or use it with process_type 'update'.");
    }
    if (has("grow_colmaker") || has("distcol")) {
        choice.method = TreeMethod::kExact;
    } else if (has("grow_histmaker") || has("grow_local_histmaker") || has("grow_skmaker")) {
        choice.method = TreeMethod::kApprox;
    } else if (has("grow_quantile_histmaker")) {
        choice.method = TreeMethod::kHist;
    } else {
        return Error(ErrorCode::kInvalidArgument,
                     "Hyperparameter updater: none of those named grows trees. Add one of 'grow_colmaker', "
                     "'grow_histmaker', or leave updater out.");
    }
    return choice;
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
    return decided;
}

}  // namespace espalier::learn
