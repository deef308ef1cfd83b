#include "learn/tree_pruner.h"

#include <algorithm>

namespace espalier::learn {

namespace {

template <typename T>
void KeepOnly(std::vector<T>& values, const std::vector<std::uint32_t>& kept) {
    for (std::size_t i = 0; i < kept.size(); ++i) values[i] = values[kept[i]];
    values.resize(kept.size());
}

/// The sets of nodes that are still split stay, in their order.
void RenumberCategories(model::Tree& tree, const std::vector<std::uint32_t>& kept,
                        const std::vector<std::int32_t>& number_of) {
    KeepOnly(tree.split_type, kept);
    const model::Tree before = tree;
    tree.categories.clear();
    tree.categories_nodes.clear();
    tree.categories_segments.clear();
    tree.categories_sizes.clear();
    for (std::size_t set = 0; set < before.categories_nodes.size(); ++set) {
        const std::int32_t node = number_of[static_cast<std::size_t>(before.categories_nodes[set])];
        if (node < 0 || tree.split_type[static_cast<std::size_t>(node)] == 0) continue;
        const auto first = before.categories.begin() + before.categories_segments[set];
        tree.categories_nodes.push_back(node);
        tree.categories_segments.push_back(static_cast<std::int64_t>(tree.categories.size()));
        tree.categories_sizes.push_back(before.categories_sizes[set]);
        tree.categories.insert(tree.categories.end(), first, first + before.categories_sizes[set]);
    }
}

void Renumber(model::Tree& tree, const std::vector<std::uint32_t>& kept) {
    std::vector<std::int32_t> number_of(tree.num_nodes(), -1);
    for (std::size_t i = 0; i < kept.size(); ++i) number_of[kept[i]] = static_cast<std::int32_t>(i);
    KeepOnly(tree.left_children, kept);
    KeepOnly(tree.right_children, kept);
    KeepOnly(tree.parents, kept);
    KeepOnly(tree.split_indices, kept);
    KeepOnly(tree.split_conditions, kept);
    KeepOnly(tree.default_left, kept);
    KeepOnly(tree.base_weights, kept);
    KeepOnly(tree.loss_changes, kept);
    KeepOnly(tree.sum_hessian, kept);
    if (!tree.split_type.empty()) RenumberCategories(tree, kept, number_of);
    for (std::size_t node = 0; node < kept.size(); ++node) {
        if (!tree.is_leaf(node)) {
            tree.left_children[node] = number_of[static_cast<std::size_t>(tree.left_children[node])];
            tree.right_children[node] = number_of[static_cast<std::size_t>(tree.right_children[node])];
        }
        if (node > 0) tree.parents[node] = number_of[static_cast<std::size_t>(tree.parents[node])];
    }
}

std::vector<int> DepthsOf(const model::Tree& tree) {
    std::vector<int> depths(tree.num_nodes(), -1);  // -1: no path leads to the node.
    std::vector<std::size_t> ahead = {0};
    depths[0] = 0;
    while (!ahead.empty()) {
        const std::size_t node = ahead.back();
        ahead.pop_back();
        if (tree.is_leaf(node)) continue;
        for (const std::int32_t child : {tree.left_children[node], tree.right_children[node]}) {
            depths[static_cast<std::size_t>(child)] = depths[node] + 1;
            ahead.push_back(static_cast<std::size_t>(child));
        }
    }
    return depths;
}

}  // namespace

std::vector<std::uint32_t> PruneTree(model::Tree& tree, const TrainParams& params) {
    std::vector<int> depths = DepthsOf(tree);
    const std::vector<std::int32_t> parents = tree.parents;
    std::vector<std::uint32_t> leaves;
    for (std::uint32_t node = 0; node < tree.num_nodes(); ++node) {
        if (depths[node] >= 0 && tree.is_leaf(node)) leaves.push_back(node);
    }
    const auto is_kept_leaf = [&](std::size_t node) { return depths[node] >= 0 && tree.is_leaf(node); };
    for (std::size_t first = 0; first < tree.num_nodes(); ++first) {
        for (std::size_t leaf = first; leaf > 0 && is_kept_leaf(leaf);) {
            const auto parent = static_cast<std::size_t>(tree.parents[leaf]);
            const auto left = static_cast<std::size_t>(tree.left_children[parent]);
            const auto right = static_cast<std::size_t>(tree.right_children[parent]);
            const bool pays = !(tree.loss_changes[parent] < params.gamma) &&
                              (params.max_depth == 0 || depths[leaf] <= params.max_depth);
            if (pays || !is_kept_leaf(left) || !is_kept_leaf(right)) break;
            depths[left] = depths[right] = -1;
            tree.left_children[parent] = tree.right_children[parent] = -1;
            tree.split_indices[parent] = 0;
            if (!tree.split_type.empty()) tree.split_type[parent] = 0;
            tree.default_left[parent] = 0;
            tree.split_conditions[parent] = params.eta_of_tree() * tree.base_weights[parent];
            leaf = parent;
        }
    }
    std::vector<std::uint32_t> kept;
    std::vector<std::uint32_t> number_of(tree.num_nodes(), kNoLeaf);
    for (std::uint32_t node = 0; node < tree.num_nodes(); ++node) {
        if (depths[node] < 0) continue;
        number_of[node] = static_cast<std::uint32_t>(kept.size());
        kept.push_back(node);
    }
    std::vector<std::uint32_t> leaf_of(tree.num_nodes(), kNoLeaf);
    for (const std::uint32_t leaf : leaves) {
        std::size_t node = leaf;
        while (depths[node] < 0) node = static_cast<std::size_t>(parents[node]);
        leaf_of[leaf] = number_of[node];
    }
    if (kept.size() < tree.num_nodes()) Renumber(tree, kept);
    return leaf_of;
}

}  // namespace espalier::learn
