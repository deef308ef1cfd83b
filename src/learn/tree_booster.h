// gbtree, and what dart shares with it: gradients at the training margins, the trees of a round, and which rows lie in
// their leaves. Confined to the trainer's thread.
#pragma once

#include <memory>
#include <vector>

#include "data/stored_array.h"
#include "learn/booster.h"
#include "learn/gradient_sampler.h"
#include "learn/row_partition.h"
#include "learn/tree_grower.h"

namespace espalier::learn {

class TreeBooster : public Booster {
  public:
    explicit TreeBooster(const BoosterInput& input);
    Result<void> Boost(model::TreeEnsemble& model) override;

  protected:
    std::vector<PreparedSet>& sets() { return input_.data.sets; }
    std::size_t num_groups() const { return static_cast<std::size_t>(input_.params.num_groups()); }
    std::size_t parallel() const { return static_cast<std::size_t>(input_.params.num_parallel_tree); }

    /// The trees of round `round` of the model, grown from gradients at the training set's margins.
    Result<std::vector<model::Tree>> GrowTrees(std::size_t round);
    /// The rows of a set in the leaves of the trees just grown.
    const RowPartition& PartitionOf(std::size_t set) const {
        return set == 0 ? grower_->train_partition() : grower_->eval_partition(set - 1);
    }
    /// Adds the trees to the margins of every set.
    void AddToMargins(const std::vector<model::Tree>& trees);
    void Keep(std::vector<model::Tree> trees, model::TreeEnsemble& model) const;

    const BoosterInput input_;

  private:
    void AddLeaves(PreparedSet& set, const RowPartition& partition, const std::vector<model::Tree>& trees);

    std::unique_ptr<TreeGrower> grower_;
    std::unique_ptr<GradientSampler> sampler_;  ///< null unless rows are sampled by gradient
    data::StoredArray<float> grad_;             ///< [groups x rows]
    data::StoredArray<float> hess_;             ///< [groups x rows]
};

}  // namespace espalier::learn
