#include "model/tree_ensemble.h"

#include <fmt/format.h>

#include <algorithm>
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
                 tree.split_conditions.size() == n && tree.default_left.size() == n &&
                 tree.base_weights.size() == n * static_cast<std::size_t>(tree.leaf_size) &&
                 tree.loss_changes.size() == n && tree.sum_hessian.size() == n &&
                 (tree.split_type.empty() || tree.split_type.size() == n);
    if (!equal) return Corrupt(fmt::format("the arrays of tree {} differ in length", tree_idx));
    return {};
}

Result<void> CheckCategories(const Tree& tree, std::size_t tree_idx) {
    const std::vector<std::int32_t>& nodes = tree.categories_nodes;
    if (tree.categories_segments.size() != nodes.size() || tree.categories_sizes.size() != nodes.size()) {
        return Corrupt(fmt::format("the arrays of the categories of tree {} differ in length", tree_idx));
    }
    auto num_categories = static_cast<std::int64_t>(tree.categories.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        bool rising = i == 0 ? nodes[i] >= 0 : nodes[i] > nodes[i - 1];
        if (!rising || static_cast<std::size_t>(nodes[i]) >= tree.num_nodes()) {
            return Corrupt(fmt::format("categories_nodes of tree {} does not rise within its nodes", tree_idx));
        }
        std::int64_t first = tree.categories_segments[i];
        std::int64_t size = tree.categories_sizes[i];
        if (first < 0 || size < 0 || first > num_categories || size > num_categories - first) {
            return Corrupt(fmt::format("node {} of tree {} has categories outside the list of {}", nodes[i], tree_idx,
                                       num_categories));
        }
    }
    for (std::int32_t category : tree.categories) {
        if (category < 0 || category >= kCategoriesMax) {
            return Corrupt(fmt::format("tree {} has the category {}; they go from 0 to {}", tree_idx, category,
                                       kCategoriesMax - 1));
        }
    }
    return {};
}

// The children of an inner node; of a leaf, its row of the leaf vectors.
Result<bool> CheckLeaf(const Tree& tree, std::size_t at, std::size_t tree_idx) {
    std::int32_t left = tree.left_children[at];
    std::int32_t right = tree.right_children[at];
    if (!tree.has_leaf_vectors()) return left < 0 && right < 0;
    if (left >= 0) return false;
    std::size_t num_leaves = tree.leaf_weights.size() / static_cast<std::size_t>(tree.leaf_size);
    if (right < 0 || static_cast<std::size_t>(right) >= num_leaves) {
        return Corrupt(
            fmt::format("leaf {} of tree {} names row {} of {} leaf vectors", at, tree_idx, right, num_leaves));
    }
    return true;
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
        if (TRY(CheckLeaf(tree, at, tree_idx))) continue;
        std::int32_t children[2] = {tree.left_children[at], tree.right_children[at]};
        if (tree.split_indices[at] < 0 || static_cast<std::uint32_t>(tree.split_indices[at]) >= num_feature) {
            return Corrupt(fmt::format("node {} of tree {} splits on feature {}, but the model has {} features", node,
                                       tree_idx, tree.split_indices[at], num_feature));
        }
        if (tree.is_categorical(at) &&
            !std::binary_search(tree.categories_nodes.begin(), tree.categories_nodes.end(), node)) {
            return Corrupt(fmt::format("node {} of tree {} splits on categories, but has none", node, tree_idx));
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

Result<void> CheckBooster(const TreeEnsemble& ensemble) {
    if (ensemble.booster == Booster::kDart && ensemble.weight_drop.size() != ensemble.trees.size()) {
        return Corrupt(
            fmt::format("weight_drop has {} entries for {} trees", ensemble.weight_drop.size(), ensemble.trees.size()));
    }
    if (ensemble.booster != Booster::kGblinear) return {};
    if (!ensemble.trees.empty()) return Corrupt("a gblinear model has trees");
    std::uint64_t expected = (std::uint64_t{ensemble.num_feature} + 1) * ensemble.num_groups();
    if (ensemble.linear_weights.size() != expected) {
        return Corrupt(fmt::format("a gblinear model of {} features and {} outputs has {} weights instead of {}",
                                   ensemble.num_feature, ensemble.num_groups(), ensemble.linear_weights.size(),
                                   expected));
    }
    return {};
}

Result<void> CheckLeafSize(const TreeEnsemble& ensemble, const Tree& tree, std::size_t tree_idx) {
    if (tree.leaf_size == 1 && tree.leaf_weights.empty()) return {};
    if (tree.leaf_size < 1 || static_cast<std::size_t>(tree.leaf_size) != ensemble.num_groups()) {
        return Corrupt(fmt::format("the leaves of tree {} have {} values, but the model has {} outputs", tree_idx,
                                   tree.leaf_size, ensemble.num_groups()));
    }
    if (ensemble.booster == Booster::kDart) return Corrupt("a dart model has leaves with several values");
    return {};
}

}  // namespace

std::span<const std::int32_t> Tree::CategoriesOf(std::size_t node) const {
    auto found = std::lower_bound(categories_nodes.begin(), categories_nodes.end(), static_cast<std::int32_t>(node));
    if (found == categories_nodes.end() || static_cast<std::size_t>(*found) != node) return {};
    auto set = static_cast<std::size_t>(found - categories_nodes.begin());
    return std::span<const std::int32_t>(categories)
        .subspan(static_cast<std::size_t>(categories_segments[set]), static_cast<std::size_t>(categories_sizes[set]));
}

Result<void> CheckEnsemble(const TreeEnsemble& ensemble) {
    TRY(CheckGroups(ensemble));
    TRY(CheckBooster(ensemble));
    for (std::size_t i = 0; i < ensemble.trees.size(); ++i) {
        TRY(CheckLeafSize(ensemble, ensemble.trees[i], i));
        TRY(CheckArrays(ensemble.trees[i], i));
        TRY(CheckCategories(ensemble.trees[i], i));
        TRY(CheckNodes(ensemble.trees[i], i, ensemble.num_feature));
    }
    return {};
}

Result<void> KeepRounds(TreeEnsemble& ensemble, std::size_t begin, std::size_t end) {
    bool linear = ensemble.booster == Booster::kGblinear;
    std::size_t num_rounds = linear ? static_cast<std::size_t>(ensemble.boosted_rounds) : ensemble.num_rounds();
    if (end == 0) end = num_rounds;
    if (begin >= end || end > num_rounds || (linear && (begin != 0 || end != num_rounds))) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("there are no rounds {} to {} in a {}model of {} rounds",
                                                              begin, end, linear ? "gblinear " : "", num_rounds));
    }
    if (linear) return {};
    std::vector<std::int32_t>& starts = ensemble.iteration_indptr;
    auto first = static_cast<std::ptrdiff_t>(starts[begin]);
    auto last = static_cast<std::ptrdiff_t>(starts[end]);
    auto keep = [&](auto& of_trees) {
        of_trees.erase(of_trees.begin() + last, of_trees.end());
        of_trees.erase(of_trees.begin(), of_trees.begin() + first);
    };
    keep(ensemble.trees);
    keep(ensemble.tree_info);
    if (ensemble.booster == Booster::kDart) keep(ensemble.weight_drop);
    starts = std::vector<std::int32_t>(starts.begin() + static_cast<std::ptrdiff_t>(begin),
                                       starts.begin() + static_cast<std::ptrdiff_t>(end) + 1);
    for (std::int32_t& start : starts) start -= static_cast<std::int32_t>(first);
    return {};
}

}  // namespace espalier::model
