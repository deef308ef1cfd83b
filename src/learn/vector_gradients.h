// The gradients that one tree of several targets is grown on, as integers in fine units, and which rows count.
//
// Memory: 16 bytes per row and target, and one per row and tree when rows are sampled uniformly. Confined to the
// trainer's thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "kernels/gradient_pair.h"
#include "learn/gradient_scale.h"
#include "learn/row_segment.h"
#include "learn/train_params.h"

namespace espalier::learn {

class VectorGradients {
  public:
    VectorGradients(const TrainParams& params, std::span<const RowSegment> row_segments, std::size_t num_trees,
                    std::size_t num_rows, WorkerTeam& team, collective::Comm& comm);

    std::size_t num_targets() const { return num_targets_; }

    /// Makes the pairs of a tree from grad, hess [sources x rows] and scales [sources]; its sums over all ranks
    /// [targets].
    Result<std::vector<kernels::WidePair>> Quantise(std::uint64_t iteration, std::size_t tree,
                                                    std::span<const float> grad, std::span<const float> hess,
                                                    std::span<const GroupScale> scales);

    /// The first of the targets' sources of a tree.
    std::size_t FirstSourceOf(std::size_t tree) const {
        return params_.samples_rows_by_gradient() ? tree * num_targets_ : 0;
    }
    /// [rows] of the tree that was quantised last.
    const kernels::WidePair* PairsOf(std::size_t target) const { return pairs_.data() + target * num_rows_; }
    /// False for every row that the tree is not grown on.
    bool IsSampled(std::size_t tree, std::size_t row) const {
        return sampled_.empty() || sampled_[tree * num_rows_ + row] != 0;
    }

  private:
    void SampleRows(std::uint64_t iteration, std::size_t tree);

    const TrainParams params_;
    const std::vector<RowSegment> row_segments_;
    const std::size_t num_targets_;
    const std::size_t num_rows_;
    WorkerTeam& team_;
    collective::Comm& comm_;
    std::vector<kernels::WidePair> pairs_;  ///< [targets x rows]
    std::vector<std::uint8_t> sampled_;     ///< [trees x rows], empty unless rows are sampled here
};

}  // namespace espalier::learn
