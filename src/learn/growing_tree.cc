#include "learn/growing_tree.h"

#include <algorithm>
#include <cmath>

namespace espalier::learn {

namespace {

using kernels::GainParams;
using kernels::WeightBounds;
using kernels::WidePair;

float WeightOf(const GainParams& gain, const WeightBounds& bounds, WidePair sum) {
    return kernels::BoundedWeight(gain, bounds, static_cast<double>(sum.g) * gain.grad_unit,
                                  static_cast<double>(sum.h) * gain.hess_unit);
}

}  // namespace

std::uint32_t GrowingTree::AddNode(std::int32_t parent) {
    tree.left_children.push_back(-1);
    tree.right_children.push_back(-1);
    tree.parents.push_back(parent);
    tree.split_indices.push_back(0);
    tree.split_conditions.push_back(0);
    tree.default_left.push_back(0);
    tree.base_weights.push_back(0);
    tree.loss_changes.push_back(0);
    tree.sum_hessian.push_back(0);
    nodes.emplace_back();
    return static_cast<std::uint32_t>(tree.num_nodes() - 1);
}

GainParams GainParamsOf(const TrainParams& params, const GroupScale& scale, bool packed) {
    GainParams gain;
    gain.lambda = params.lambda;
    gain.alpha = params.alpha;
    gain.max_delta_step = params.max_delta_step;
    gain.min_child_weight = params.min_child_weight;
    // Splits must change the loss by more than kLossChangeMin, and by at least gamma unless they are pruned later.
    gain.loss_change_floor = params.pruning_rule == PruningRule::kBefore
                                 ? std::max(kLossChangeMin, std::nextafter(params.gamma, 0.0F))
                                 : kLossChangeMin;
    gain.grad_unit = packed ? scale.packed_grad_unit() : scale.fine_grad_unit();
    gain.hess_unit = packed ? scale.packed_hess_unit() : scale.fine_hess_unit();
    return gain;
}

float GainOf(const GainParams& gain, const MonotoneSigns& signs, const WeightBounds& bounds, WidePair sum) {
    const double grad = static_cast<double>(sum.g) * gain.grad_unit;
    const double hess = static_cast<double>(sum.h) * gain.hess_unit;
    return signs.empty() ? kernels::NodeGain(gain, grad, hess) : kernels::BoundedGain(gain, bounds, grad, hess);
}

void AddChildren(GrowingTree& growing, std::uint32_t node, float threshold, const MonotoneSigns& signs) {
    const kernels::SplitCandidate best = growing.nodes[node].best;
    const std::uint32_t left = growing.AddNode(static_cast<std::int32_t>(node));
    const std::uint32_t right = growing.AddNode(static_cast<std::int32_t>(node));
    model::Tree& out = growing.tree;
    out.left_children[node] = static_cast<std::int32_t>(left);
    out.right_children[node] = static_cast<std::int32_t>(right);
    out.split_indices[node] = static_cast<std::int32_t>(best.feature);
    out.default_left[node] = best.default_left ? 1 : 0;
    out.loss_changes[node] = best.loss_change;
    out.split_conditions[node] = threshold;
    const GrowingNode& parent = growing.nodes[node];
    GrowingNode& left_node = growing.nodes[left];
    GrowingNode& right_node = growing.nodes[right];
    left_node.depth = right_node.depth = parent.depth + 1;
    left_node.sum = best.left;
    right_node.sum = parent.sum;
    right_node.sum -= best.left;
    if (!signs.empty()) {
        const kernels::ChildBounds below = kernels::BoundsBelow(parent.bounds, SignOf(signs, best.feature),
                                                                WeightOf(growing.gain, parent.bounds, left_node.sum),
                                                                WeightOf(growing.gain, parent.bounds, right_node.sum));
        left_node.bounds = below.left;
        right_node.bounds = below.right;
    }
    left_node.gain = GainOf(growing.gain, signs, parent.bounds, left_node.sum);
    right_node.gain = GainOf(growing.gain, signs, parent.bounds, right_node.sum);
}

void SetWeights(GrowingTree& growing, const GainParams& gain, const TrainParams& params) {
    model::Tree& tree = growing.tree;
    const float eta = params.eta_of_tree();
    const bool raw_leaves = params.tree_method == TreeMethod::kExact;
    std::vector<float> weights(growing.nodes.size());
    weights[0] = WeightOf(gain, {}, growing.nodes[0].sum);
    for (std::size_t node = 0; node < growing.nodes.size(); ++node) {
        GrowingNode& grown = growing.nodes[node];
        tree.sum_hessian[node] = static_cast<float>(static_cast<double>(grown.sum.h) * gain.hess_unit);
        if (tree.is_leaf(node)) {
            tree.split_conditions[node] = eta * weights[node];
            // xgboost keeps the weight after the learning rate in leaves, but the plain one in a lone root and in
            // exact.
            tree.base_weights[node] = node == 0 || raw_leaves ? weights[node] : eta * weights[node];
            continue;
        }
        // A weight is bounded by what the node's ancestors say; the bounds of its own split count for its children.
        tree.base_weights[node] = raw_leaves ? weights[node] : WeightOf(gain, grown.bounds, grown.sum);
        const auto left = static_cast<std::size_t>(tree.left_children[node]);
        const auto right = static_cast<std::size_t>(tree.right_children[node]);
        weights[left] = WeightOf(gain, grown.bounds, growing.nodes[left].sum);
        weights[right] = WeightOf(gain, grown.bounds, growing.nodes[right].sum);
        const int sign = SignOf(params.monotone_constraints, static_cast<std::size_t>(tree.split_indices[node]));
        if (sign == 0 && params.monotone_constraints.empty()) continue;
        // The sums are finer than those that chose the split: rounding may have turned two nearly equal weights round.
        if (sign > 0 ? weights[left] > weights[right] : sign < 0 && weights[left] < weights[right]) {
            weights[left] = weights[right] = (weights[left] + weights[right]) / 2;
        }
        const kernels::ChildBounds below = kernels::BoundsBelow(grown.bounds, sign, weights[left], weights[right]);
        growing.nodes[left].bounds = below.left;
        growing.nodes[right].bounds = below.right;
    }
}

void SetCategories(GrowingTree& growing) {
    model::Tree& tree = growing.tree;
    for (std::size_t node = 0; node < growing.nodes.size(); ++node) {
        if (tree.is_leaf(node) || !growing.nodes[node].best.is_categorical) continue;
        const std::vector<std::uint32_t>& set = growing.nodes[node].right_categories;
        if (tree.split_type.empty()) tree.split_type.assign(tree.num_nodes(), 0);
        tree.split_type[node] = 1;
        tree.categories_nodes.push_back(static_cast<std::int32_t>(node));
        tree.categories_segments.push_back(static_cast<std::int64_t>(tree.categories.size()));
        tree.categories_sizes.push_back(static_cast<std::int64_t>(set.size()));
        tree.categories.insert(tree.categories.end(), set.begin(), set.end());
    }
}

}  // namespace espalier::learn
