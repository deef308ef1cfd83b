#include "learn/leaf_refit.h"

#include <cmath>

#include "learn/exact_quantile.h"
#include "learn/leaf_values.h"

namespace espalier::learn {

namespace {

struct RefitInput {
    const Objective& objective;
    const TrainParams& params;
    const RowsView& rows;
    bool weighted;
    const TreeGrower& grower;
    WorkerTeam& team;
    collective::Comm& comm;
};

/// Value `target` of the leaves of `tree`, number `number` of the round, from the margins of `group`.
Result<void> RefitTarget(const RefitInput& input, std::size_t number, std::size_t group, std::size_t target,
                         model::Tree& tree) {
    const RowsView& rows = input.rows;
    const float* margins = rows.margins + group * rows.num_rows;
    std::vector<std::uint32_t> leaves;
    for (std::uint32_t node = 0; node < tree.num_nodes(); ++node) {
        if (tree.is_leaf(node)) leaves.push_back(node);
    }
    std::vector<QuantileSample> samples(leaves.size());
    input.team.ForEach(leaves.size(), [&](std::size_t leaf, int) {
        samples[leaf].alpha = input.objective.LeafQuantile(group).value();
        const RowPartition& partition = input.grower.train_partition();
        partition.RowsOf(static_cast<std::uint32_t>(number), leaves[leaf]).ForEachRow([&](std::uint32_t row) {
            if (!input.grower.IsSampled(number, row)) return;
            samples[leaf].values.push_back(rows.labels[row] - margins[row]);
            if (input.weighted) samples[leaf].weights.push_back(rows.WeightOf(row));
        });
    });
    const std::vector<float> quantiles =
        TRY(ExactQuantiles(samples, input.weighted, rows.total_rows, input.team, input.comm));
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
        if (std::isnan(quantiles[leaf])) continue;
        LeafValuesOf(tree, leaves[leaf])[target] = quantiles[leaf] * input.params.eta_of_tree();
    }
    return {};
}

}  // namespace

Result<void> RefitLeaves(const Objective& objective, const TrainParams& params, const RowsView& rows, bool weighted,
                         const TreeGrower& grower, WorkerTeam& team, collective::Comm& comm,
                         std::vector<model::Tree>& trees) {
    const auto parallel = static_cast<std::size_t>(params.num_parallel_tree);
    for (std::size_t tree = 0; tree < trees.size(); ++tree) {
        for (std::size_t target = 0; target < static_cast<std::size_t>(trees[tree].leaf_size); ++target) {
            // A tree of several targets is the only one of its place in the round.
            const std::size_t group = tree / parallel + target;
            TRY(RefitTarget({objective, params, rows, weighted, grower, team, comm}, tree, group, target, trees[tree]));
        }
    }
    return {};
}

}  // namespace espalier::learn
