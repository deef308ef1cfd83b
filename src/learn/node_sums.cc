#include "learn/node_sums.h"

#include <algorithm>
#include <cmath>

namespace espalier::learn {

namespace {

using kernels::WidePair;

constexpr std::size_t kPrefetchRows = 24;  // a leaf's rows jump through memory

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

WidePair SumLeaf(const NodeSumsInput& input, const Leaf& leaf) {
    const std::size_t num_rows = input.partition.num_rows();
    const std::size_t source = input.source_of_tree[leaf.tree];
    const double grad_units = std::ldexp(1.0, input.scales[source].grad_exponent);
    const double hess_units = std::ldexp(1.0, input.scales[source].hess_exponent);
    const float* grad = input.grad.data() + source * num_rows;
    const float* hess = input.hess.data() + source * num_rows;
    WidePair sum;
    const std::span<const std::uint32_t> rows = input.partition.RowsOf(leaf.tree, leaf.node);
    for (std::size_t nth = 0; nth < rows.size(); ++nth) {
        const std::uint32_t ahead = rows[std::min(nth + kPrefetchRows, rows.size() - 1)];
        __builtin_prefetch(grad + ahead);
        __builtin_prefetch(hess + ahead);
        const std::uint32_t row = rows[nth];
        if (!input.sampled.empty() && input.sampled[leaf.tree * num_rows + row] == 0) continue;
        sum.g += ToFine(grad[row], grad_units);
        sum.h += ToFine(hess[row], hess_units);
    }
    return sum;
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
    std::vector<std::int64_t> totals(leaves.size() * 2, 0);
    input.team.ForEach(leaves.size(), [&](std::size_t i, int) {
        const WidePair sum = SumLeaf(input, leaves[i]);
        totals[2 * i] = sum.g;
        totals[2 * i + 1] = sum.h;
    });
    TRY(input.comm.AllReduceSum(totals));
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
