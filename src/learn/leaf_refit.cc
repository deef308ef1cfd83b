#include "learn/leaf_refit.h"

#include <cmath>

#include "learn/exact_quantile.h"

namespace espalier::learn {

Result<void> RefitLeaves(const Objective& objective, const TrainParams& params, const RowsView& rows, bool weighted,
                         const TreeGrower& grower, WorkerTeam& team, collective::Comm& comm,
                         std::vector<model::Tree>& trees) {
    const auto parallel = static_cast<std::size_t>(params.num_parallel_tree);
    for (std::size_t tree = 0; tree < trees.size(); ++tree) {
        const std::size_t group = tree / parallel;
        const float* margins = rows.margins + group * rows.num_rows;
        std::vector<std::uint32_t> leaves;
        for (std::size_t node = 0; node < trees[tree].num_nodes(); ++node) {
            if (trees[tree].is_leaf(node)) leaves.push_back(static_cast<std::uint32_t>(node));
        }
        std::vector<QuantileSample> samples(leaves.size());
        team.ForEach(leaves.size(), [&](std::size_t leaf, int) {
            samples[leaf].alpha = objective.LeafQuantile(group).value();
            for (const std::uint32_t row :
                 grower.train_partition().RowsOf(static_cast<std::uint32_t>(tree), leaves[leaf])) {
                if (!grower.IsSampled(tree, row)) continue;
                samples[leaf].values.push_back(rows.labels[row] - margins[row]);
                if (weighted) samples[leaf].weights.push_back(rows.WeightOf(row));
            }
        });
        const std::vector<float> quantiles = TRY(ExactQuantiles(samples, weighted, rows.total_rows, team, comm));
        for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
            if (!std::isnan(quantiles[leaf]))
                trees[tree].split_conditions[leaves[leaf]] = quantiles[leaf] * params.eta_of_tree();
        }
    }
    return {};
}

}  // namespace espalier::learn
