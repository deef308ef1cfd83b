#include "learn/tree_gradients.h"

#include <algorithm>
#include <cmath>

#include "learn/random.h"

namespace espalier::learn {

namespace {

using kernels::PackedPair;
using kernels::WidePair;

constexpr std::size_t kBlockRows = 8192;
constexpr std::size_t kPrefetchRows = 24;  // a leaf's rows jump through memory

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
      pairs_(num_trees * num_rows) {
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
Result<std::vector<WidePair>> TreeGradients<Pair>::Quantise(std::uint64_t iteration, std::span<const float> grad,
                                                            std::span<const float> hess,
                                                            std::span<const GroupScale> scales) {
    const std::size_t num_blocks = (num_rows_ + kBlockRows - 1) / kBlockRows;
    std::vector<std::int64_t> sums(static_cast<std::size_t>(team_.num_threads()) * num_trees_ * 2, 0);
    team_.ForEach(num_trees_ * num_blocks, [&](std::size_t task, int worker) {
        const std::size_t tree = task / num_blocks;
        const std::size_t begin = task % num_blocks * kBlockRows;
        const std::size_t end = std::min(begin + kBlockRows, num_rows_);
        const GroupScale& scale = scales[SourceOf(tree)];
        const double grad_units = std::ldexp(1.0, scale.grad_exponent);
        const double hess_units = std::ldexp(1.0, scale.hess_exponent);
        const std::size_t base = SourceOf(tree) * num_rows_;
        if (!sampled_.empty()) SampleRows(iteration, tree, begin, end);
        WidePair sum;
        for (std::size_t row = begin; row < end; ++row) {
            std::int64_t g = ToFine(grad[base + row], grad_units);
            std::int64_t h = ToFine(hess[base + row], hess_units);
            if (!IsSampled(tree, row)) g = h = 0;
            if constexpr (std::is_same_v<Pair, PackedPair>) {
                g = Shifted(g, scale.grad_shift);
                h = Shifted(h, scale.hess_shift);
                pairs_[tree * num_rows_ + row] = kernels::Pack(g, h);
            } else {
                pairs_[tree * num_rows_ + row] = {g, h};
            }
            sum.g += g;
            sum.h += h;
        }
        std::int64_t* slot = &sums[(static_cast<std::size_t>(worker) * num_trees_ + tree) * 2];
        slot[0] += sum.g;
        slot[1] += sum.h;
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
    struct Leaf {
        std::uint32_t tree;
        std::uint32_t node;
    };
    std::vector<Leaf> leaves;
    for (std::uint32_t tree = 0; tree < num_trees_; ++tree) {
        for (std::uint32_t node = 0; node < trees[tree].nodes.size(); ++node) {
            if (trees[tree].tree.is_leaf(node)) leaves.push_back({tree, node});
        }
    }
    std::vector<std::int64_t> sums(leaves.size() * 2, 0);
    team_.ForEach(leaves.size(), [&](std::size_t i, int) {
        const std::size_t tree = leaves[i].tree;
        const GroupScale& scale = scales[SourceOf(tree)];
        const double grad_units = std::ldexp(1.0, scale.grad_exponent);
        const double hess_units = std::ldexp(1.0, scale.hess_exponent);
        const float* g = grad.data() + SourceOf(tree) * num_rows_;
        const float* h = hess.data() + SourceOf(tree) * num_rows_;
        WidePair sum;
        const std::span<const std::uint32_t> rows = partition.RowsOf(leaves[i].tree, leaves[i].node);
        for (std::size_t nth = 0; nth < rows.size(); ++nth) {
            const std::uint32_t ahead = rows[std::min(nth + kPrefetchRows, rows.size() - 1)];
            __builtin_prefetch(g + ahead);
            __builtin_prefetch(h + ahead);
            const std::uint32_t row = rows[nth];
            if (!IsSampled(tree, row)) continue;
            sum.g += ToFine(g[row], grad_units);
            sum.h += ToFine(h[row], hess_units);
        }
        sums[2 * i] = sum.g;
        sums[2 * i + 1] = sum.h;
    });
    TRY(comm_.AllReduceSum(sums));
    for (GrowingTree& growing : trees) {
        for (GrowingNode& node : growing.nodes) node.sum = {};
    }
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        trees[leaves[i].tree].nodes[leaves[i].node].sum = {sums[2 * i], sums[2 * i + 1]};
    }
    for (GrowingTree& growing : trees) {
        for (std::size_t node = growing.nodes.size(); node-- > 1;) {
            growing.nodes[static_cast<std::size_t>(growing.tree.parents[node])].sum += growing.nodes[node].sum;
        }
    }
    return {};
}

template class TreeGradients<PackedPair>;
template class TreeGradients<WidePair>;

}  // namespace espalier::learn
