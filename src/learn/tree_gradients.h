// The gradients of the trees of one round as integers, row by row, and the sums that are made of them.
//
// Nouns: source (a run of gradients, one per row, that trees are grown on: one per group, or one per tree when rows are
// sampled by their gradients), sampled (a row that its tree is grown on; others weigh nothing but end in a leaf too).
// Memory: 8 bytes per row and tree (16 wide), and one more when rows are sampled. Confined to the trainer's thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "data/stored_array.h"
#include "kernels/gradient_pair.h"
#include "learn/gradient_scale.h"
#include "learn/growing_tree.h"
#include "learn/row_partition.h"
#include "learn/row_segment.h"
#include "learn/train_params.h"

namespace espalier::learn {

template <typename Pair>
class TreeGradients {
  public:
    /// first_tree: number of the first tree in its iteration, for sampling.
    TreeGradients(const TrainParams& params, std::span<const RowSegment> row_segments, std::size_t num_trees,
                  std::size_t first_tree, std::size_t num_rows, WorkerTeam& team, collective::Comm& comm);

    /// Makes the pairs from grad and hess [sources x rows]; each tree's sum over all ranks.
    Result<std::vector<kernels::WidePair>> Quantise(std::uint64_t iteration, std::span<const float> grad,
                                                    std::span<const float> hess, std::span<const GroupScale> scales);

    /// [rows]; those of the next tree follow.
    const Pair* PairsOf(std::size_t tree) const { return pairs_.data() + tree * num_rows_; }
    /// Where the gradients and the scale of a tree are.
    std::size_t SourceOf(std::size_t tree) const { return params_.source_of_tree(tree); }
    /// False for every row that the tree is not grown on.
    bool IsSampled(std::size_t tree, std::size_t row) const {
        return sampled_.empty() || sampled_[tree * num_rows_ + row] != 0;
    }

    /// Sums of all nodes over all ranks in fine units, from the rows of the leaves; same arrays as in Quantise.
    Result<void> SumFinely(std::span<const float> grad, std::span<const float> hess, std::span<const GroupScale> scales,
                           const RowPartition& partition, std::span<GrowingTree> trees) const;

  private:
    /// The pairs of the tree's rows [begin, end), from the gradients of its source.
    void QuantiseRows(std::size_t tree, const float* grad, const float* hess, const GroupScale& scale,
                      std::size_t begin, std::size_t end);
    void SampleRows(std::uint64_t iteration, std::size_t tree, std::size_t begin, std::size_t end);

    const TrainParams params_;
    const std::vector<RowSegment> row_segments_;
    const std::size_t num_trees_;
    const std::size_t first_tree_;
    const std::size_t num_rows_;
    WorkerTeam& team_;
    collective::Comm& comm_;
    data::StoredArray<Pair> pairs_;      ///< [trees x rows]
    std::vector<std::uint8_t> sampled_;  ///< [trees x rows], empty unless rows are sampled here
};

}  // namespace espalier::learn
