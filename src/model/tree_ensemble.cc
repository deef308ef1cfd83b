#include "model/tree_ensemble.h"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

namespace espalier::model {
namespace {

Error Corrupt(std::string message) {
    return Error(ErrorCode::kCorruptData, std::move(message));
}

Result<void> CheckArrays(const Tree& tree, std::size_t tree_idx) {
    std::size_t n = tree.num_nodes();
    if (n == 0) return Corrupt(fmt::format("tree {} has no nodes", tree_idx));
    if (n > 2147483646U) return Corrupt(fmt::format("tree {} has too many nodes", tree_idx));
    bool equal = tree.right_children.size() == n && tree.parents.size() == n && tree.split_indices.size() == n &&
                 tree.split_conditions.size() == n && tree.default_left.size() == n && tree.base_weights.size() == n &&
                 tree.loss_changes.size() == n && tree.sum_hessian.size() == n;
    if (!equal) return Corrupt(fmt::format("the arrays of tree {} differ in length", tree_idx));
    return {};
}

Result<void> CheckNodes(const Tree& tree, std::size_t tree_idx, std::uint32_t num_feature) {
    std::size_t n = tree.num_nodes();
    std::vector<std::uint8_t> reached(n, 0);
    std::vector<std::int32_t> open = {0};
    reached[0] = 1;
    while (!open.empty()) {
        std::int32_t node = open.back();
        open.pop_back();
        auto at = static_cast<std::size_t>(node);
        std::int32_t children[2] = {tree.left_children[at], tree.right_children[at]};
        if (children[0] < 0 && children[1] < 0) continue;
        if (tree.split_indices[at] < 0 || static_cast<std::uint32_t>(tree.split_indices[at]) >= num_feature) {
            return Corrupt(fmt::format("node {} of tree {} splits on feature {}, but the model has {} features", node,
                                       tree_idx, tree.split_indices[at], num_feature));
        }
        for (std::int32_t child : children) {
            if (child < 0 || static_cast<std::size_t>(child) >= n) {
                return Corrupt(fmt::format("node {} of tree {} has a child {} outside the tree of {} nodes", node,
                                           tree_idx, child, n));
            }
            auto child_at = static_cast<std::size_t>(child);
            if (reached[child_at] != 0) {
                return Corrupt(
                    fmt::format("node {} of tree {} is the child of two nodes, or of one below it", child, tree_idx));
            }
            if (tree.parents[child_at] != node) {
                return Corrupt(fmt::format("node {} of tree {} names {} as its parent instead of {}", child, tree_idx,
                                           tree.parents[child_at], node));
            }
            reached[child_at] = 1;
            open.push_back(child);
        }
    }
    return {};
}

Result<void> CheckGroups(const TreeEnsemble& ensemble) {
    std::size_t groups = ensemble.num_groups();
    if (ensemble.tree_info.size() != ensemble.trees.size()) {
        return Corrupt(
            fmt::format("tree_info has {} entries for {} trees", ensemble.tree_info.size(), ensemble.trees.size()));
    }
    for (std::size_t i = 0; i < ensemble.tree_info.size(); ++i) {
        std::int32_t group = ensemble.tree_info[i];
        if (group < 0 || static_cast<std::size_t>(group) >= groups) {
            return Corrupt(fmt::format("tree {} belongs to class {} of {}", i, group, groups));
        }
    }
    const std::vector<std::int32_t>& starts = ensemble.iteration_indptr;
    bool rising = !starts.empty() && starts.front() == 0;
    for (std::size_t i = 1; rising && i < starts.size(); ++i) rising = starts[i] >= starts[i - 1];
    if (!rising || static_cast<std::size_t>(starts.back()) != ensemble.trees.size()) {
        return Corrupt(
            fmt::format("iteration_indptr does not rise from 0 to the number of trees, {}", ensemble.trees.size()));
    }
    if (ensemble.base_score.size() != 1 && ensemble.base_score.size() != groups) {
        return Corrupt(fmt::format("base_score has {} values for {} classes", ensemble.base_score.size(), groups));
    }
    for (float score : ensemble.base_score) {
        if (!std::isfinite(score)) return Corrupt("base_score is not a finite number");
    }
    return {};
}

}  // namespace

Result<void> CheckEnsemble(const TreeEnsemble& ensemble) {
    TRY(CheckGroups(ensemble));
    for (std::size_t i = 0; i < ensemble.trees.size(); ++i) {
        TRY(CheckArrays(ensemble.trees[i], i));
        TRY(CheckNodes(ensemble.trees[i], i, ensemble.num_feature));
    }
    return {};
}

}  // namespace espalier::model
