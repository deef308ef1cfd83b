#include "learn/vector_gradients.h"

#include <cmath>

#include "kernels/quantise.h"
#include "learn/random.h"

namespace espalier::learn {

namespace {

using kernels::WidePair;

}  // namespace

VectorGradients::VectorGradients(const TrainParams& params, std::span<const RowSegment> row_segments,
                                 std::size_t num_trees, std::size_t num_rows, WorkerTeam& team, collective::Comm& comm)
    : params_(params),
      row_segments_(row_segments.begin(), row_segments.end()),
      num_targets_(static_cast<std::size_t>(params.num_groups())),
      num_rows_(num_rows),
      team_(team),
      comm_(comm),
      pairs_(num_targets_ * num_rows) {
    if (params_.samples_rows_uniformly()) sampled_.resize(num_trees * num_rows);
}

void VectorGradients::SampleRows(std::uint64_t iteration, std::size_t tree) {
    const DrawStream stream(params_.seed, iteration, tree, DrawPurpose::kRow);
    std::uint8_t* sampled = sampled_.data() + tree * num_rows_;
    ForEachIdentity(row_segments_, 0, num_rows_, [&](std::size_t row, std::uint64_t identity) {
        sampled[row] = stream.Uniform(identity) < static_cast<double>(params_.subsample) ? 1 : 0;
    });
}

Result<std::vector<WidePair>> VectorGradients::Quantise(std::uint64_t iteration, std::size_t tree,
                                                        std::span<const float> grad, std::span<const float> hess,
                                                        std::span<const GroupScale> scales) {
    if (!sampled_.empty()) SampleRows(iteration, tree);
    std::vector<std::int64_t> sums(num_targets_ * 2, 0);
    team_.ForEach(num_targets_, [&](std::size_t target, int) {
        const std::size_t source = FirstSourceOf(tree) + target;
        const double grad_units = scales[source].fine_grads_per_one();
        const double hess_units = scales[source].fine_hessians_per_one();
        const float* g = grad.data() + source * num_rows_;
        const float* h = hess.data() + source * num_rows_;
        WidePair* pairs = pairs_.data() + target * num_rows_;
        WidePair sum;
        for (std::size_t row = 0; row < num_rows_; ++row) {
            pairs[row] = {};
            if (IsSampled(tree, row))
                pairs[row] = {kernels::ToFine(g[row], grad_units), kernels::ToFine(h[row], hess_units)};
            sum += pairs[row];
        }
        sums[2 * target] = sum.g;
        sums[2 * target + 1] = sum.h;
    });
    TRY(comm_.AllReduceSum(sums));
    std::vector<WidePair> totals(num_targets_);
    for (std::size_t target = 0; target < num_targets_; ++target)
        totals[target] = {sums[2 * target], sums[2 * target + 1]};
    return totals;
}

}  // namespace espalier::learn
