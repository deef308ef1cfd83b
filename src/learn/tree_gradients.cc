#include "learn/tree_gradients.h"

#include <algorithm>
#include <cmath>

#include "kernels/cell_arithmetic.h"
#include "kernels/quantise.h"
#include "learn/node_sums.h"
#include "learn/random.h"

namespace espalier::learn {

namespace {

using kernels::PackedPair;
using kernels::WidePair;

constexpr std::size_t kBlockRows = 1024;

}  // namespace

template <typename Pair>
TreeGradients<Pair>::TreeGradients(const TrainParams& params, std::span<const RowSegment> row_segments,
                                   std::size_t num_trees, std::size_t first_tree, std::size_t num_rows,
                                   WorkerTeam& team, collective::Comm& comm)
    : params_(params),
      row_segments_(row_segments.begin(), row_segments.end()),
      num_trees_(num_trees),
      first_tree_(first_tree),
      num_rows_(num_rows),
      team_(team),
      comm_(comm),
      pairs_(data::ArrayStore().Make<Pair>(num_trees * num_rows)) {
    if (params_.samples_rows_uniformly()) sampled_.resize(num_trees_ * num_rows_);
}

template <typename Pair>
void TreeGradients<Pair>::SampleRows(std::uint64_t iteration, std::size_t tree, std::size_t begin, std::size_t end) {
    const DrawStream stream(params_.seed, iteration, first_tree_ + tree, DrawPurpose::kRow);
    std::uint8_t* sampled = sampled_.data() + tree * num_rows_;
    ForEachIdentity(row_segments_, begin, end, [&](std::size_t row, std::uint64_t identity) {
        sampled[row] = stream.Uniform(identity) < static_cast<double>(params_.subsample) ? 1 : 0;
    });
}

template <typename Pair>
void TreeGradients<Pair>::QuantiseRows(std::size_t tree, const float* grad, const float* hess, const GroupScale& scale,
                                       std::size_t begin, std::size_t end) {
    Pair* const pairs = pairs_.data() + tree * num_rows_;
    const double grad_units = scale.fine_grads_per_one();
    const double hess_units = scale.fine_hessians_per_one();
    if constexpr (std::is_same_v<Pair, PackedPair>) {
        kernels::QuantisePairs(grad + begin, hess + begin, end - begin, {grad_units, scale.grad_shift},
                               {hess_units, scale.hess_shift}, pairs + begin);
    } else {
        // Thresholds of exact lie between neighbours that occur in a node, rows without a gradient included.
        const std::int64_t hess_min = params_.tree_method == TreeMethod::kExact ? 1 : 0;
        for (std::size_t row = begin; row < end; ++row) {
            pairs[row] = {kernels::ToFine(grad[row], grad_units),
                          std::max(kernels::ToFine(hess[row], hess_units), hess_min)};
        }
    }
    if (sampled_.empty()) return;
    for (std::size_t row = begin; row < end; ++row) {
        if (!IsSampled(tree, row)) pairs[row] = Pair{};
    }
}

template <typename Pair>
Result<std::vector<WidePair>> TreeGradients<Pair>::Quantise(std::uint64_t iteration, std::span<const float> grad,
                                                            std::span<const float> hess,
                                                            std::span<const GroupScale> scales) {
    std::vector<std::int64_t> sums(static_cast<std::size_t>(team_.num_threads()) * num_trees_ * 2, 0);
    team_.ForBlocks(num_rows_, kBlockRows, [&](std::size_t begin, std::size_t end, int worker) {
        for (std::size_t tree = 0; tree < num_trees_; ++tree) {
            const std::size_t source = SourceOf(tree) * num_rows_;
            if (!sampled_.empty()) SampleRows(iteration, tree, begin, end);
            QuantiseRows(tree, grad.data() + source, hess.data() + source, scales[SourceOf(tree)], begin, end);
            const Pair sum = kernels::SumOf(std::span<const Pair>(PairsOf(tree) + begin, end - begin));
            std::int64_t* slot = &sums[(static_cast<std::size_t>(worker) * num_trees_ + tree) * 2];
            slot[0] += kernels::SumG(sum);
            slot[1] += kernels::SumH(sum);
        }
    });
    std::vector<std::int64_t> totals(num_trees_ * 2, 0);
    for (std::size_t i = 0; i < sums.size(); ++i) totals[i % totals.size()] += sums[i];
    TRY(comm_.AllReduceSum(totals));
    std::vector<WidePair> roots(num_trees_);
    for (std::size_t tree = 0; tree < num_trees_; ++tree) roots[tree] = {totals[2 * tree], totals[2 * tree + 1]};
    return roots;
}

template <typename Pair>
Result<void> TreeGradients<Pair>::SumFinely(std::span<const float> grad, std::span<const float> hess,
                                            std::span<const GroupScale> scales, const RowPartition& partition,
                                            std::span<GrowingTree> trees) const {
    std::vector<const model::Tree*> grown;
    std::vector<std::size_t> sources;
    for (std::size_t tree = 0; tree < num_trees_; ++tree) {
        grown.push_back(&trees[tree].tree);
        sources.push_back(SourceOf(tree));
    }
    const auto sums = TRY(SumNodes({.grad = grad,
                                    .hess = hess,
                                    .scales = scales,
                                    .source_of_tree = sources,
                                    .sampled = sampled_,
                                    .partition = partition,
                                    .team = team_,
                                    .comm = comm_},
                                   grown));
    for (std::size_t tree = 0; tree < num_trees_; ++tree) {
        for (std::size_t node = 0; node < sums[tree].size(); ++node) trees[tree].nodes[node].sum = sums[tree][node];
    }
    return {};
}

template class TreeGradients<PackedPair>;
template class TreeGradients<WidePair>;

}  // namespace espalier::learn
