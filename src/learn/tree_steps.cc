#include "learn/tree_steps.h"

#include <cmath>

#include "kernels/split_scan.h"
#include "learn/growing_tree.h"
#include "learn/node_sums.h"
#include "learn/tree_pruner.h"

namespace espalier::learn {

namespace {

using kernels::GainParams;
using kernels::WidePair;

/// Gradient and hessian of a node.
struct Sums {
    double grad = 0;
    double hess = 0;
};

/// The gain of a node alone, in double and with min_child_weight, unlike that of growing trees: so does stock.
double RefreshedGain(const GainParams& params, const Sums& sums) {
    if (sums.hess < static_cast<double>(params.min_child_weight) || sums.hess <= 0) return 0;
    const auto alpha = static_cast<double>(params.alpha);
    const double denominator = sums.hess + static_cast<double>(params.lambda);
    const double shrunk = kernels::ShrunkGradient(sums.grad, params.alpha);
    if (params.max_delta_step == 0) return shrunk * shrunk / denominator;
    const double weight = kernels::UnroundedWeight(params, sums.grad, sums.hess);
    return -(2 * sums.grad * weight + denominator * weight * weight) + alpha * std::fabs(weight);
}

void RefreshTree(const TrainParams& params, const GainParams& gain, std::span<const WidePair> sums, model::Tree& tree) {
    const auto sums_of = [&](std::size_t node) {
        return Sums{static_cast<double>(sums[node].g) * gain.grad_unit,
                    static_cast<double>(sums[node].h) * gain.hess_unit};
    };
    for (std::size_t node = 0; node < tree.num_nodes(); ++node) {
        const Sums of_node = sums_of(node);
        tree.base_weights[node] = kernels::NodeWeight(gain, of_node.grad, of_node.hess);
        tree.sum_hessian[node] = static_cast<float>(of_node.hess);
        if (!tree.is_leaf(node)) {
            const Sums left = sums_of(static_cast<std::size_t>(tree.left_children[node]));
            const Sums right = sums_of(static_cast<std::size_t>(tree.right_children[node]));
            tree.loss_changes[node] = static_cast<float>(RefreshedGain(gain, left) + RefreshedGain(gain, right) -
                                                         RefreshedGain(gain, of_node));
        } else if (params.refresh_leaf) {
            tree.split_conditions[node] = tree.base_weights[node] * params.eta_of_tree();
        }
    }
}

Result<void> Refresh(const TreeStepsInput& input, std::vector<model::Tree>& trees) {
    std::vector<const model::Tree*> shapes;
    std::vector<std::size_t> groups;
    for (const model::Tree& tree : trees) {
        groups.push_back(shapes.size() / static_cast<std::size_t>(input.params.num_parallel_tree));
        shapes.push_back(&tree);
    }
    const auto sums = TRY(SumNodes({.grad = input.grad,
                                    .hess = input.hess,
                                    .scales = input.scales,
                                    .source_of_tree = groups,
                                    .partition = input.grower.train_partition(),
                                    .team = input.team,
                                    .comm = input.comm},
                                   shapes));
    for (std::size_t tree = 0; tree < trees.size(); ++tree) {
        RefreshTree(input.params, GainParamsOf(input.params, input.scales[groups[tree]], false), sums[tree],
                    trees[tree]);
    }
    return {};
}

}  // namespace

Result<void> RunTreeSteps(const TreeStepsInput& input, std::vector<model::Tree>& trees) {
    for (const TreeStep step : input.params.tree_steps) {
        if (step == TreeStep::kRefresh) {
            TRY(Refresh(input, trees));
            continue;
        }
        for (std::uint32_t tree = 0; tree < trees.size(); ++tree) {
            const std::vector<std::uint32_t> leaf_of = PruneTree(trees[tree], input.params);
            if (leaf_of.size() > trees[tree].num_nodes()) {
                input.grower.MoveLeaves(tree, leaf_of, trees[tree].num_nodes());
            }
        }
    }
    return {};
}

}  // namespace espalier::learn
