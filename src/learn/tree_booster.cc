#include "learn/tree_booster.h"

#include "learn/leaf_refit.h"
#include "learn/leaf_values.h"
#include "learn/tree_steps.h"

namespace espalier::learn {

TreeBooster::TreeBooster(const BoosterInput& input)
    : input_(input),
      grad_(data::ArrayStore().Make<float>(input.data.sets[0].margins.size())),
      hess_(data::ArrayStore().Make<float>(grad_.size())) {
    const bool evals_binned =
        input.data.cutting == data::Cutting::kOnce && input.params.tree_method != TreeMethod::kExact;
    std::vector<const data::BinnedMatrix*> evals;
    std::vector<const data::FeatureRows*> eval_rows;
    for (std::size_t i = 1; i < sets().size(); ++i) {
        if (evals_binned) evals.push_back(&sets()[i].matrix);
        if (!evals_binned) eval_rows.push_back(&sets()[i].rows);
    }
    grower_ = TreeGrower::Create({.params = input.params,
                                  .cutting = input.data.cutting,
                                  .layout = &input.data.layout,
                                  .train = &sets()[0].matrix,
                                  .evals = evals,
                                  .eval_rows = eval_rows,
                                  .train_rows = &sets()[0].rows,
                                  .train_weights = sets()[0].weights,
                                  .greatest_weight = input.data.greatest_weight,
                                  .num_features = input.data.num_features,
                                  .categorical = input.data.categorical,
                                  .row_segments = sets()[0].segments,
                                  .total_rows = sets()[0].total_rows,
                                  .team = input.team,
                                  .comm = input.comm,
                                  .num_trees = static_cast<std::size_t>(input.params.trees_per_round()),
                                  .replayed = input.updated});
    if (!input.params.samples_rows_by_gradient()) return;
    sampler_ = std::make_unique<GradientSampler>(input.params, sets()[0].segments, sets()[0].total_rows, input.team,
                                                 input.comm);
}

Result<void> TreeBooster::Boost(model::TreeEnsemble& model) {
    std::vector<model::Tree> trees = TRY(GrowTrees(model.num_rounds()));
    AddToMargins(trees);
    Keep(std::move(trees), model);
    return {};
}

Result<std::vector<model::Tree>> TreeBooster::GrowTrees(std::size_t round) {
    const RowsView rows = sets()[0].View();
    TRY(input_.objective.Gradients(rows, static_cast<int>(round), input_.team, input_.comm, grad_.data(),
                                   hess_.data()));
    std::span<const float> grad = grad_;
    std::span<const float> hess = hess_;
    if (sampler_ != nullptr) {
        TRY(sampler_->Sample(round, grad, hess));
        grad = sampler_->grad();
        hess = sampler_->hess();
    }
    const auto scales_of = [&](std::span<const float> g, std::span<const float> h, int num_sources) {
        return AgreeOnScales(g, h, static_cast<std::size_t>(num_sources), sets()[0].total_rows, input_.team,
                             input_.comm);
    };
    std::vector<GroupScale> scales = TRY(scales_of(grad, hess, input_.params.num_sources()));
    std::vector<model::Tree> trees = TRY(grower_->Grow(round, grad, hess, scales));
    if (!input_.params.tree_steps.empty()) {
        if (sampler_ != nullptr) scales = TRY(scales_of(grad_, hess_, input_.params.num_groups()));
        TRY(RunTreeSteps({.params = input_.params,
                          .grad = grad_,
                          .hess = hess_,
                          .scales = scales,
                          .grower = *grower_,
                          .team = input_.team,
                          .comm = input_.comm},
                         trees));
    }
    if (input_.objective.LeafQuantile(0).has_value() && input_.params.refits_leaves()) {
        TRY(RefitLeaves(input_.objective, input_.params, rows, input_.data.weighted(), *grower_, input_.team,
                        input_.comm, trees));
    }
    return trees;
}

void TreeBooster::AddToMargins(const std::vector<model::Tree>& trees) {
    for (std::size_t set = 0; set < sets().size(); ++set) AddLeaves(sets()[set], PartitionOf(set), trees);
}

void TreeBooster::AddLeaves(PreparedSet& set, const RowPartition& partition, const std::vector<model::Tree>& trees) {
    const std::size_t num_rows = set.labels.size();
    const std::size_t num_blocks = NumNodeBlocks(num_rows);
    // Trees of one group follow each other, so that a row's margin is summed in tree order.
    for (std::size_t nth = 0; nth < parallel(); ++nth) {
        input_.team.ForEach(trees.size() / parallel() * num_blocks, [&](std::size_t task, int) {
            const std::size_t tree = task / num_blocks * parallel() + nth;
            const std::size_t first_row = task % num_blocks * kNodeBlockRows;
            for (std::uint32_t node = 0; node < trees[tree].num_nodes(); ++node) {
                if (!trees[tree].is_leaf(node)) continue;
                const RowPiece piece = partition.RowsOf(static_cast<std::uint32_t>(tree), node).PieceAt(first_row);
                float* margins = set.margins.data() + tree / parallel() * num_rows + first_row;
                for (const float value : LeafValuesOf(trees[tree], node)) {
                    for (const std::uint16_t place : piece.Places()) margins[place] += value;
                    margins += num_rows;  // The next target's, in a tree of several.
                }
            }
        });
    }
}

void TreeBooster::Keep(std::vector<model::Tree> trees, model::TreeEnsemble& model) const {
    for (std::size_t tree = 0; tree < trees.size(); ++tree) {
        model.tree_info.push_back(static_cast<std::int32_t>(tree / parallel()));
        model.trees.push_back(std::move(trees[tree]));
    }
    model.iteration_indptr.push_back(static_cast<std::int32_t>(model.trees.size()));
}

std::unique_ptr<Booster> MakeTreeBooster(const BoosterInput& input) {
    return std::make_unique<TreeBooster>(input);
}

}  // namespace espalier::learn
