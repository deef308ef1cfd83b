#include "model/model_parts.h"

#include <fmt/format.h>

#include <utility>

#include "model/links.h"
#include "model/model_file.h"
#include "model/objective_table.h"

namespace espalier::model {

Result<void> SetOutputs(TreeEnsemble& ensemble, std::int64_t num_class, std::int64_t num_target) {
    auto corrupt = [](std::string message) { return Error(ErrorCode::kCorruptData, std::move(message)); };
    const ObjectiveInfo* objective = FindObjective(ensemble.objective);
    if (objective == nullptr) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("the objective '{}' is not supported", ensemble.objective));
    }
    bool multi = objective->link == Link::kArgmax || objective->link == Link::kSoftmax;
    if (multi && num_class < 2) {
        return corrupt(fmt::format("num_class is {}, but {} needs at least 2", num_class, ensemble.objective));
    }
    if (num_class > kClassesMax) {
        return corrupt(fmt::format("num_class is {}; more than {} classes are not supported", num_class, kClassesMax));
    }
    if (num_target < 0 || num_target > kClassesMax) {
        return corrupt(fmt::format("num_target is {}; it goes from 1 to {}", num_target, kClassesMax));
    }
    if (multi && num_target > 1) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("a model with {} targets of {} classes is not supported", num_target, num_class));
    }
    ensemble.num_class = multi ? static_cast<std::int32_t>(num_class) : 0;
    ensemble.num_target = num_target > 1 ? static_cast<std::int32_t>(num_target) : 1;
    return {};
}

Result<void> MakeIterationIndptr(TreeEnsemble& ensemble) {
    bool vectors = !ensemble.trees.empty() && ensemble.trees[0].has_leaf_vectors();
    std::size_t groups = vectors ? 1 : ensemble.num_groups();
    std::size_t per_round = groups * static_cast<std::size_t>(ensemble.num_parallel_tree);
    if (ensemble.trees.size() % per_round != 0) {
        return Error(ErrorCode::kCorruptData,
                     fmt::format("{} trees are no whole number of rounds of {}", ensemble.trees.size(), per_round));
    }
    ensemble.iteration_indptr.clear();
    for (std::size_t tree = 0; tree <= ensemble.trees.size(); tree += per_round) {
        ensemble.iteration_indptr.push_back(static_cast<std::int32_t>(tree));
    }
    return {};
}

float ScoreOfMargin(std::string_view objective, float margin) {
    const ObjectiveInfo* info = FindObjective(objective);
    if (info == nullptr) return margin;
    if (info->link == Link::kSigmoid) return Sigmoid(margin);
    return info->link == Link::kExp ? kernels::Exp(margin) : margin;
}

Result<void> ReadStrings(DocumentCursor& document, std::map<std::string, std::string>& strings) {
    return document.ReadObject([&](std::string_view key) -> Result<void> {
        if (strings.size() >= kModelNamesMax) {
            return Error(ErrorCode::kResourceLimit,
                         fmt::format("the model has more than {} feature names or attributes", kModelNamesMax));
        }
        std::string name(key);
        if (TRY(document.Peek()) != ValueKind::kString) return document.Skip();
        return document.ReadString(strings[name]);
    });
}

}  // namespace espalier::model
