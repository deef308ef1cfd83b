#include "learn/node_sums.h"

#include <algorithm>
#include <array>

#include "kernels/quantise.h"

namespace espalier::learn {

namespace {

using kernels::WidePair;

struct Leaf {
    std::uint32_t tree;
    std::uint32_t node;
};

/// Nodes from the root on, each before its children.
std::vector<std::size_t> TopDown(const model::Tree& tree) {
    std::vector<std::size_t> order = {0};
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (tree.is_leaf(order[i])) continue;
        order.push_back(static_cast<std::size_t>(tree.left_children[order[i]]));
        order.push_back(static_cast<std::size_t>(tree.right_children[order[i]]));
    }
    return order;
}

/// The rows of a leaf in the block that begins with `first_row`. Values are gathered strip by strip, for the conversion
/// works on neighbours.
WidePair SumLeaf(const NodeSumsInput& input, const Leaf& leaf, std::size_t first_row) {
    constexpr std::size_t kStripRows = 512;
    const std::size_t num_rows = input.partition.num_rows();
    const std::size_t source = input.source_of_tree[leaf.tree];
    const GroupScale& scale = input.scales[source];
    const float* grad = input.grad.data() + source * num_rows + first_row;
    const float* hess = input.hess.data() + source * num_rows + first_row;
    const std::uint8_t* sampled =
        input.sampled.empty() ? nullptr : input.sampled.data() + leaf.tree * num_rows + first_row;
    std::array<float, kStripRows> grads;
    std::array<float, kStripRows> hessians;
    WidePair sum;
    const RowPiece piece = input.partition.RowsOf(leaf.tree, leaf.node).PieceAt(first_row);
    const std::span<const std::uint16_t> rows = piece.Places();
    for (std::size_t first = 0; first < rows.size(); first += kStripRows) {
        std::size_t size = 0;
        for (const std::uint16_t row : rows.subspan(first, std::min(kStripRows, rows.size() - first))) {
            if (sampled != nullptr && sampled[row] == 0) continue;
            grads[size] = grad[row];
            hessians[size] = hess[row];
            ++size;
        }
        sum.g += kernels::SumFine(grads.data(), size, scale.fine_grads_per_one());
        sum.h += kernels::SumFine(hessians.data(), size, scale.fine_hessians_per_one());
    }
    return sum;
}

/// [leaves][g, h] over all ranks. The leaves of a tree follow each other.
Result<std::vector<std::int64_t>> SumLeaves(const NodeSumsInput& input, std::span<const Leaf> leaves,
                                            std::size_t num_trees) {
    std::vector<std::size_t> first_leaf(num_trees + 1, 0);
    for (const Leaf& leaf : leaves) ++first_leaf[leaf.tree + 1];
    for (std::size_t tree = 0; tree < num_trees; ++tree) first_leaf[tree + 1] += first_leaf[tree];
    const std::size_t num_blocks = NumNodeBlocks(input.partition.num_rows());
    std::vector<std::vector<std::int64_t>> of_worker(static_cast<std::size_t>(input.team.num_threads()),
                                                     std::vector<std::int64_t>(leaves.size() * 2, 0));
    input.team.ForEach(num_trees * num_blocks, [&](std::size_t task, int worker) {
        const std::size_t tree = task / num_blocks;
        for (std::size_t i = first_leaf[tree]; i < first_leaf[tree + 1]; ++i) {
            const WidePair sum = SumLeaf(input, leaves[i], task % num_blocks * kNodeBlockRows);
            of_worker[static_cast<std::size_t>(worker)][2 * i] += sum.g;
            of_worker[static_cast<std::size_t>(worker)][2 * i + 1] += sum.h;
        }
    });
    std::vector<std::int64_t> totals(leaves.size() * 2, 0);
    for (const auto& sums : of_worker) {
        for (std::size_t i = 0; i < totals.size(); ++i) totals[i] += sums[i];
    }
    TRY(input.comm.AllReduceSum(totals));
    return totals;
}

}  // namespace

Result<std::vector<std::vector<WidePair>>> SumNodes(const NodeSumsInput& input,
                                                    std::span<const model::Tree* const> trees) {
    std::vector<Leaf> leaves;
    for (std::uint32_t tree = 0; tree < trees.size(); ++tree) {
        for (std::uint32_t node = 0; node < trees[tree]->num_nodes(); ++node) {
            if (trees[tree]->is_leaf(node)) leaves.push_back({tree, node});
        }
    }
    const std::vector<std::int64_t> totals = TRY(SumLeaves(input, leaves, trees.size()));
    std::vector<std::vector<WidePair>> sums;
    for (const model::Tree* tree : trees) sums.emplace_back(tree->num_nodes());
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        sums[leaves[i].tree][leaves[i].node] = {totals[2 * i], totals[2 * i + 1]};
    }
    for (std::size_t tree = 0; tree < trees.size(); ++tree) {
        const std::vector<std::size_t> order = TopDown(*trees[tree]);
        for (std::size_t i = order.size(); i-- > 1;) {
            sums[tree][static_cast<std::size_t>(trees[tree]->parents[order[i]])] += sums[tree][order[i]];
        }
    }
    return sums;
}

}  // namespace espalier::learn
