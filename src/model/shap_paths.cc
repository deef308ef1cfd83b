#include "model/shap_paths.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace espalier::model {
namespace {

std::size_t Index(std::int32_t node) {
    return static_cast<std::size_t>(node);
}

double LeafValue(const Tree& tree, std::size_t node, std::size_t output) {
    if (!tree.has_leaf_vectors()) return static_cast<double>(tree.split_conditions[node]);
    std::size_t row = Index(tree.right_children[node]);
    return static_cast<double>(tree.leaf_weights[row * static_cast<std::size_t>(tree.leaf_size) + output]);
}

double ShareOf(const Tree& tree, std::int32_t child, std::int32_t parent) {
    auto rows = static_cast<double>(tree.sum_hessian[Index(parent)]);
    double share = static_cast<double>(tree.sum_hessian[Index(child)]) / rows;
    return rows > 0 && share >= 0 ? share : 0;
}

}  // namespace

QuadratureRule::QuadratureRule(std::size_t num_points) {
    auto n = static_cast<double>(num_points);
    for (std::size_t i = 0; i < num_points; ++i) {
        // A root of the Legendre polynomial by Newton's method from the usual guess.
        double x = std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) / (n + 0.5));
        double slope = 1;
        for (int step = 0; step < 50; ++step) {
            double before = 1;
            double value = x;
            for (std::size_t k = 2; k <= num_points; ++k) {
                auto order = static_cast<double>(k);
                double next = ((2 * order - 1) * x * value - (order - 1) * before) / order;
                before = value;
                value = next;
            }
            slope = n * (x * value - before) / (x * x - 1);
            double change = value / slope;
            x -= change;
            if (std::abs(change) < 1e-16) break;
        }
        points.push_back((1 + x) / 2);
        weights.push_back(1 / ((1 - x * x) * slope * slope));
        outside.push_back(-1 / (1 - points.back()));
    }
}

// One edge at a time from a stack of our own, as deep trees must not use up the thread's.
ShapPaths::ShapPaths(const Tree& tree, std::size_t output, double weight, std::span<const std::uint32_t> slots) {
    std::vector<std::int32_t> last_of(slots.size(), -1);  // the nearest edge above on the feature
    if (tree.is_leaf(0)) {
        mean_ = weight * LeafValue(tree, 0, output);
        return;
    }
    struct Step {
        std::int32_t node;    // ~edge: it is left
        std::int32_t parent;  // node
        std::int32_t split;
        std::int32_t depth;
        double reach;  // the share of all rows that come to the parent
    };
    std::vector<Step> open;
    auto open_children = [&](std::int32_t node, std::int32_t depth, double reach) {
        auto feature = static_cast<std::uint32_t>(tree.split_indices[Index(node)]);
        auto slot = static_cast<std::uint32_t>(std::lower_bound(slots.begin(), slots.end(), feature) - slots.begin());
        auto split = static_cast<std::int32_t>(splits_.size());
        splits_.push_back({slot, tree.split_conditions[Index(node)], tree.default_left[Index(node)] != 0,
                           tree.is_categorical(Index(node)), CategorySet(tree.CategoriesOf(Index(node)))});
        open.push_back({tree.right_children[Index(node)], node, split, depth + 1, reach});
        open.push_back({tree.left_children[Index(node)], node, split, depth + 1, reach});
    };
    open_children(0, 0, 1);
    while (!open.empty()) {
        Step step = open.back();
        open.pop_back();
        if (step.node < 0) {
            const kernels::ShapEdge& edge = edges_[Index(~step.node)];
            last_of[Index(edge.slot)] = edge.ancestor;
            events_.push_back(step.node);
            continue;
        }
        auto at = static_cast<std::int32_t>(edges_.size());
        std::uint32_t slot = splits_[Index(step.split)].slot;
        std::int32_t ancestor = last_of[slot];
        bool leaf = tree.is_leaf(Index(step.node));
        double share = ShareOf(tree, step.node, step.parent);
        double value = leaf ? weight * LeafValue(tree, Index(step.node), output) : 0;
        edges_.push_back({step.depth, ancestor, static_cast<std::int32_t>(slot), step.split, share, value,
                          step.node == tree.right_children[Index(step.parent)], leaf});
        shares_.push_back(share * (ancestor < 0 ? 1 : shares_[Index(ancestor)]));
        events_.push_back(at);
        last_of[slot] = at;
        depth_ = std::max(depth_, Index(step.depth));
        if (leaf) mean_ += value * step.reach * share;
        open.push_back({~at, 0, 0, 0, 0});
        if (!leaf) open_children(step.node, step.depth, step.reach * share);
    }
    num_points_ = (depth_ + 1) / 2;
}

void ShapPaths::SetConstants(const QuadratureRule& rule) {
    std::size_t points = rule.points.size();
    constants_.resize(edges_.size() * kernels::kShapConstants * points);
    for (std::size_t at = 0; at < edges_.size(); ++at) {
        double* constants = constants_.data() + at * kernels::kShapConstants * points;
        std::int32_t ancestor = edges_[at].ancestor;
        for (std::size_t q = 0; q < points; ++q) {
            double t = rule.points[q];
            double off = (1 - t) * shares_[at];
            double on = off + t;
            double ancestor_on = ancestor < 0 ? 1 : (1 - t) * shares_[Index(ancestor)] + t;
            constants[q] = on / ancestor_on;
            constants[points + q] = off / ancestor_on;
            constants[2 * points + q] = (1 - shares_[at]) / on;
        }
    }
}

void ShapPaths::Decide(const float* values, std::size_t columns, std::uint8_t* went_right) const {
    for (std::size_t i = 0; i < splits_.size(); ++i) {
        const ShapSplit& split = splits_[i];
        unsigned bits = 0;
        for (std::size_t r = 0; r < kernels::kShapRows; ++r) {
            float value = values[r * columns + split.slot];
            bool right = split.categorical ? split.set.Contains(value) : !(value < split.condition);
            if (value != value) right = !split.default_left;
            bits |= static_cast<unsigned>(right) << r;
        }
        went_right[i] = static_cast<std::uint8_t>(bits);
    }
}

kernels::ShapTree ShapPaths::View(const QuadratureRule& rule) const {
    return {edges_.data(),       events_.data(),      events_.size(),     constants_.data(),
            rule.weights.data(), rule.outside.data(), rule.points.size(), depth_};
}

}  // namespace espalier::model
