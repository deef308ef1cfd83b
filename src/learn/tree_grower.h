// Grows all trees of one boosting round together, level by level.
//
// Nouns: step (the nodes of all trees that are split at once: a level depthwise, one node per tree lossguide), build (a
// node whose histogram is made by adding up its rows), sibling (made by subtraction from the parent), slot (memory of
// one node's histogram), owner (the rank that finds splits for a tile, by its share).
// A step: pop nodes -> split their rows, training and evaluation sets alike -> build the child of fewer rows, tile by
// tile -> sibling = parent - child -> scan both -> ranks > 1: exchange the best candidates. The same integers give the
// same splits everywhere. How several ranks build is decided once (row_exchange.h): each its own rows, and one
// reduce-scatter for the whole step gives each rank the sums of the tiles it owns; or each those of all ranks in its
// tiles, and the step's rows are exchanged before.
// Memory: a slot is num_cells x 8 bytes (16 wide). Slots live while a node's children may still be built; children at
// the last level use scratch of one tile per thread instead, and so do nodes for which the budget
// (TrainParams::histogram_bytes_max) has no slot left: their children are both added up from rows, which gives the same
// sums. Nothing is allocated once the first rounds have warmed up, except the trees themselves.
// Source of the rules: xgboost tree/driver.h, tree/hist/evaluate_splits.h (contracts/xgboost.md 4.3, 4.5).
// Confined to the trainer's thread.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "data/binned_matrix.h"
#include "learn/gradient_scale.h"
#include "learn/row_partition.h"
#include "learn/row_segment.h"
#include "learn/train_params.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

struct GrowerInput {
    const TrainParams& params;
    data::Cutting cutting = data::Cutting::kOnce;
    const data::BinLayout* layout = nullptr;                   ///< kOnce
    const data::BinnedMatrix* train = nullptr;                 ///< kOnce
    std::span<const data::BinnedMatrix* const> evals;          ///< binned evaluation rows, or
    std::span<const data::FeatureRows* const> eval_rows = {};  ///< their values, for thresholds between bins
    const data::FeatureRows* train_rows = nullptr;             ///< kPerTree, kNever
    std::span<const float> train_weights = {};                 ///< kPerTree: [rows], or empty for 1 each
    float greatest_weight = 0;                                 ///< kPerTree: of all ranks; 0: no rank has weights
    std::size_t num_features = 0;
    std::span<const std::uint8_t> categorical = {};  ///< [features], or empty
    std::span<const RowSegment> row_segments;        ///< of the training rows, rising; for sampling
    std::uint64_t total_rows = 0;                    ///< training rows of all ranks
    WorkerTeam& team;
    collective::Comm& comm;
    std::size_t first_tree = 0;  ///< the first of the round's trees that is grown here
    std::size_t num_trees = 1;   ///< and how many are
    /// Not null: trees do not grow, they are this model's, one round after the other. Needs the rows' values.
    const model::TreeEnsemble* replayed = nullptr;
};

class TreeGrower {
  public:
    /// What the input refers to must outlive the grower.
    static std::unique_ptr<TreeGrower> Create(const GrowerInput& input);
    virtual ~TreeGrower() = default;

    /// Grows the trees of a round, group-major, from grad and hess [sources x rows] (TrainParams::source_of_tree).
    virtual Result<std::vector<model::Tree>> Grow(std::uint64_t iteration, std::span<const float> grad,
                                                  std::span<const float> hess, std::span<const GroupScale> scales) = 0;

    /// The rows of a tree's leaves after it was pruned; see RowPartition::MoveLeaves.
    void MoveLeaves(std::uint32_t tree, std::span<const std::uint32_t> leaf_of, std::size_t num_nodes);

    /// Rows per leaf after Grow.
    const RowPartition& train_partition() const { return partition_; }
    const RowPartition& eval_partition(std::size_t eval) const { return eval_partitions_[eval]; }
    /// False for the training rows that a tree of the last Grow was not grown on.
    virtual bool IsSampled(std::size_t tree, std::size_t row) const = 0;

  protected:
    /// train: of the training rows.
    TreeGrower(const GrowerInput& input, RowPartition train);
    /// Evaluation rows that are not sent along bin by bin go to the leaves of the tree `number` by their values.
    void PlaceEvalRows(std::uint32_t number, const model::Tree& tree);

    const std::vector<const data::FeatureRows*> eval_rows_;  ///< empty: evaluation rows are binned
    WorkerTeam& team_;
    RowPartition partition_;
    std::vector<RowPartition> eval_partitions_;
};

/// The grower for binned training rows.
std::unique_ptr<TreeGrower> MakeHistogramGrower(const GrowerInput& input);

}  // namespace espalier::learn
