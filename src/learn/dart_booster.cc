// dart: trees whose share shrinks. Before each round some trees are dropped, the new ones are grown on what is left,
// and then the dropped and the new trees are weighted so that together they say about what the dropped ones said.
//
// Each set keeps what every tree says of every row (4 bytes a row and tree), because margins must be summed anew, in
// tree order, whenever a weight has changed: so they are the sums that a predictor of the model makes.
// Source: contracts/xgboost.md 4.7 (xgboost/src/gbm/gbtree.cc, class Dart); Vinayak, Gilad-Bachrach, AISTATS 2015.
#include <algorithm>

#include "learn/random.h"
#include "learn/tree_booster.h"
#include "model/links.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 2048;

class DartBooster final : public TreeBooster {
  public:
    explicit DartBooster(const BoosterInput& input) : TreeBooster(input) {}

    Result<void> Boost(model::TreeEnsemble& model) override {
        base_margins_ = TRY(model::BaseMargins(model));
        const std::vector<std::uint8_t> dropped = DropTrees(model);
        const bool drops = std::find(dropped.begin(), dropped.end(), 1) != dropped.end();
        if (drops) SumMargins(sets()[0], model, dropped);
        std::vector<model::Tree> trees = TRY(GrowTrees(model.num_rounds()));
        for (std::size_t set = 0; set < sets().size(); ++set) NoteLeaves(sets()[set], PartitionOf(set), trees);
        if (!drops) AddToMargins(trees);
        Weight(dropped, trees.size(), model);
        Keep(std::move(trees), model);
        if (!drops) return {};
        for (PreparedSet& set : sets()) SumMargins(set, model, {});
        return {};
    }

  private:
    const DartParams& dart() const { return input_.params.dart; }

    /// [trees] 1: dropped this round. Drawn by (seed, round, tree), the same on every rank.
    std::vector<std::uint8_t> DropTrees(const model::TreeEnsemble& model) const {
        const std::size_t round = model.num_rounds();
        const std::vector<float>& weights = model.weight_drop;
        std::vector<std::uint8_t> dropped(weights.size(), 0);
        const DrawStream drop(input_.params.seed, round, 0, DrawPurpose::kDartDrop);
        const DrawStream others(input_.params.seed, round, 0, DrawPurpose::kDartOnce);
        if (dart().skip_drop > 0 && others.Uniform(0) < static_cast<double>(dart().skip_drop)) return dropped;
        double sum = 0;
        for (const float weight : weights) sum += static_cast<double>(weight);
        for (std::size_t tree = 0; tree < weights.size(); ++tree) {
            double chance = static_cast<double>(dart().rate_drop);
            if (dart().weighted) {
                chance *= static_cast<double>(weights.size()) * static_cast<double>(weights[tree]) / sum;
            }
            dropped[tree] = drop.Uniform(tree) < chance ? 1 : 0;
        }
        const bool none = std::find(dropped.begin(), dropped.end(), 1) == dropped.end();
        if (dart().one_drop && none && !weights.empty()) dropped[PickOne(weights, sum, others.Uniform(1))] = 1;
        return dropped;
    }

    /// The tree at `point` in [0, 1) of all trees, by weight if trees are sampled by weight.
    std::size_t PickOne(const std::vector<float>& weights, double sum, double point) const {
        if (!dart().weighted) return static_cast<std::size_t>(point * static_cast<double>(weights.size()));
        double below = 0;
        for (std::size_t tree = 0; tree < weights.size(); ++tree) {
            below += static_cast<double>(weights[tree]);
            if (point * sum < below) return tree;
        }
        return weights.size() - 1;
    }

    /// The weights after a round in which `dropped` were dropped and num_new trees grown; in float, as xgboost does.
    void Weight(const std::vector<std::uint8_t>& dropped, std::size_t num_new, model::TreeEnsemble& model) const {
        const auto rate = static_cast<float>(static_cast<double>(input_.params.eta) / static_cast<double>(num_new));
        const auto num_dropped = static_cast<float>(std::count(dropped.begin(), dropped.end(), 1));
        float factor = 1;
        float added = 1;
        if (num_dropped > 0 && dart().forest) {
            factor = static_cast<float>(1.0 / (1.0 + static_cast<double>(rate)));
            added = factor;
        } else if (num_dropped > 0) {
            factor = num_dropped / (num_dropped + rate);
            added = static_cast<float>(1.0 / static_cast<double>(num_dropped + rate));
        }
        for (std::size_t tree = 0; tree < dropped.size(); ++tree) {
            if (dropped[tree] != 0) model.weight_drop[tree] *= factor;
        }
        model.weight_drop.insert(model.weight_drop.end(), num_new, added);
    }

    void NoteLeaves(PreparedSet& set, const RowPartition& partition, const std::vector<model::Tree>& trees) {
        const std::size_t first = set.leaf_values.size();
        for (std::size_t tree = 0; tree < trees.size(); ++tree) set.leaf_values.emplace_back(set.labels.size());
        input_.team.ForEach(trees.size(), [&](std::size_t tree, int) {
            std::vector<float>& values = set.leaf_values[first + tree];
            for (std::uint32_t node = 0; node < trees[tree].num_nodes(); ++node) {
                if (!trees[tree].is_leaf(node)) continue;
                const float value = trees[tree].split_conditions[node];
                partition.RowsOf(static_cast<std::uint32_t>(tree), node).ForEachRow([&](std::uint32_t row) {
                    values[row] = value;
                });
            }
        });
    }

    /// Margins of a set from all trees but those dropped; empty: none is.
    void SumMargins(PreparedSet& set, const model::TreeEnsemble& model, const std::vector<std::uint8_t>& dropped) {
        const std::size_t num_rows = set.labels.size();
        input_.team.ForBlocks(num_rows, kBlockRows, [&](std::size_t from, std::size_t to, int) {
            for (std::size_t group = 0; group < num_groups(); ++group) {
                const auto begin = set.margins.begin() + static_cast<std::ptrdiff_t>(group * num_rows);
                std::fill(begin + static_cast<std::ptrdiff_t>(from), begin + static_cast<std::ptrdiff_t>(to),
                          base_margins_[group]);
            }
            for (std::size_t tree = 0; tree < model.trees.size(); ++tree) {
                if (!dropped.empty() && dropped[tree] != 0) continue;
                const float weight = model.weight_drop[tree];
                const float* values = set.leaf_values[tree].data();
                float* margins = set.margins.data() + static_cast<std::size_t>(model.tree_info[tree]) * num_rows;
                for (std::size_t row = from; row < to; ++row) margins[row] += weight * values[row];
            }
        });
    }

    std::vector<float> base_margins_;  ///< [groups]
};

}  // namespace

std::unique_ptr<Booster> MakeDartBooster(const BoosterInput& input) {
    return std::make_unique<DartBooster>(input);
}

}  // namespace espalier::learn
