#include "learn/replay_grower.h"

#include "learn/tree_walk.h"

namespace espalier::learn {

namespace {

class ReplayGrower final : public TreeGrower {
  public:
    explicit ReplayGrower(const GrowerInput& input)
        : TreeGrower(input, RowPartition(input.train_rows->num_rows(), input.num_trees)),
          model_(*input.replayed),
          train_(*input.train_rows),
          num_trees_(input.num_trees) {}

    Result<std::vector<model::Tree>> Grow(std::uint64_t iteration, std::span<const float>, std::span<const float>,
                                          std::span<const GroupScale>) override {
        std::vector<model::Tree> trees;
        for (std::uint32_t number = 0; number < num_trees_; ++number) {
            const model::Tree& tree = model_.trees[iteration * num_trees_ + number];
            partition_.Place(number, FindLeaves(tree, train_, team_), tree.num_nodes());
            PlaceEvalRows(number, tree);
            trees.push_back(tree);
        }
        return trees;
    }

    bool IsSampled(std::size_t, std::size_t) const override { return true; }

  private:
    const model::TreeEnsemble& model_;
    const data::FeatureRows& train_;
    const std::size_t num_trees_;
};

}  // namespace

std::unique_ptr<TreeGrower> MakeReplayGrower(const GrowerInput& input) {
    return std::make_unique<ReplayGrower>(input);
}

}  // namespace espalier::learn
