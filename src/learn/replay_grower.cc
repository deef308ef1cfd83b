#include "learn/replay_grower.h"

#include "learn/tree_walk.h"

namespace espalier::learn {

namespace {

class ReplayGrower final : public TreeGrower {
  public:
    explicit ReplayGrower(const GrowerInput& input)
        : model_(*input.replayed),
          train_(*input.train_rows),
          evals_(input.eval_rows.begin(), input.eval_rows.end()),
          num_trees_(input.num_trees),
          team_(input.team),
          partition_(train_.num_rows(), num_trees_) {
        for (const data::FeatureRows* rows : evals_) {
            eval_partitions_.push_back(std::make_unique<RowPartition>(rows->num_rows(), num_trees_));
        }
    }

    Result<std::vector<model::Tree>> Grow(std::uint64_t iteration, std::span<const float>, std::span<const float>,
                                          std::span<const GroupScale>) override {
        std::vector<model::Tree> trees;
        for (std::uint32_t number = 0; number < num_trees_; ++number) {
            const model::Tree& tree = model_.trees[iteration * num_trees_ + number];
            partition_.Place(number, FindLeaves(tree, train_, team_), tree.num_nodes());
            for (std::size_t i = 0; i < evals_.size(); ++i) {
                eval_partitions_[i]->Place(number, FindLeaves(tree, *evals_[i], team_), tree.num_nodes());
            }
            trees.push_back(tree);
        }
        return trees;
    }

    void MoveLeaves(std::uint32_t tree, std::span<const std::uint32_t> leaf_of, std::size_t num_nodes) override {
        partition_.MoveLeaves(tree, leaf_of, num_nodes);
        for (auto& eval : eval_partitions_) eval->MoveLeaves(tree, leaf_of, num_nodes);
    }
    const RowPartition& train_partition() const override { return partition_; }
    const RowPartition& eval_partition(std::size_t eval) const override { return *eval_partitions_[eval]; }
    bool IsSampled(std::size_t, std::size_t) const override { return true; }

  private:
    const model::TreeEnsemble& model_;
    const data::FeatureRows& train_;
    const std::vector<const data::FeatureRows*> evals_;
    const std::size_t num_trees_;
    WorkerTeam& team_;
    RowPartition partition_;
    std::vector<std::unique_ptr<RowPartition>> eval_partitions_;
};

}  // namespace

std::unique_ptr<TreeGrower> MakeReplayGrower(const GrowerInput& input) {
    return std::make_unique<ReplayGrower>(input);
}

}  // namespace espalier::learn
