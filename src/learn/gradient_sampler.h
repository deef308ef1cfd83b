// Rows sampled by their gradients (sampling_method gradient_based): minimal variance sampling as xgboost 3.2 does it on
// a CPU (tree/hist/sampler.cc; contracts/xgboost.md 4.7).
//
// Nouns: score of a row (sqrt(g^2 + 0.1 h^2)), threshold u (a row is kept with probability score / u, at most 1, such
// that subsample x rows are expected to be kept). What is kept weighs 1 / probability, so sums keep their expectation.
// The threshold comes from integer counts and sums per interval of scores over all ranks, in two passes over the rows,
// and the draws from the rows' identities, so threads and ranks do not change the sample. Confined to the trainer's
// thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "learn/random.h"
#include "learn/row_segment.h"
#include "learn/train_params.h"

namespace espalier::learn {

class GradientSampler {
  public:
    /// total_rows: over all ranks. References must outlive the sampler.
    GradientSampler(const TrainParams& params, std::span<const RowSegment> row_segments, std::uint64_t total_rows,
                    WorkerTeam& team, collective::Comm& comm);

    /// From grad and hess [groups x rows] to those the trees of the round are grown on [sources x rows]: a source per
    /// tree, or per tree and target of trees that predict all groups.
    Result<void> Sample(std::uint64_t iteration, std::span<const float> grad, std::span<const float> hess);

    std::span<const float> grad() const { return grad_; }
    std::span<const float> hess() const { return hess_; }

  private:
    Result<float> FindThreshold(std::uint64_t num_kept) const;
    /// One source of gradients as tree number `tree` of the round sees them.
    void Draw(const DrawStream& stream, float threshold, const float* grad, const float* hess, std::size_t source);

    const TrainParams& params_;
    const std::vector<RowSegment> row_segments_;
    const std::uint64_t total_rows_;
    WorkerTeam& team_;
    collective::Comm& comm_;
    std::vector<float> scores_;  ///< [rows] of one group, or of all when a tree predicts all
    std::vector<float> grad_;    ///< [sources x rows]
    std::vector<float> hess_;    ///< [sources x rows]
};

}  // namespace espalier::learn
