#include "learn/growth_queue.h"

#include <algorithm>
#include <utility>

namespace espalier::learn {

void GrowthQueue::Reset(std::size_t num_trees) {
    trees_.assign(num_trees, {});
}

bool GrowthQueue::MaySplitAt(std::uint32_t tree, int depth) const {
    if (params_.max_depth > 0 && depth >= params_.max_depth) return false;
    return params_.max_leaves == 0 || trees_[tree].num_leaves < params_.max_leaves;
}

bool GrowthQueue::MaySplit(std::uint32_t tree, const GrowingNode& node) const {
    if (!(node.best.loss_change > kLossChangeMin)) return false;
    if (params_.pruning_rule == PruningRule::kBefore && node.best.loss_change < params_.gamma) return false;
    return MaySplitAt(tree, node.depth);
}

GrowthQueue::Next GrowthQueue::Pop(std::uint32_t tree, const GrowingTree& growing) {
    Next next;
    std::vector<std::uint32_t>& open = trees_[tree].open;
    if (params_.grow_policy == GrowPolicy::kDepthwise) {
        std::sort(open.begin(), open.end());
        for (const std::uint32_t node : std::exchange(open, {})) {
            const bool splits = MaySplit(tree, growing.nodes[node]);
            (splits ? next.split : next.closed).push_back(node);
            if (splits) ++trees_[tree].num_leaves;
        }
        return next;
    }
    const auto best = std::max_element(open.begin(), open.end(), [&](auto a, auto b) {
        const float loss_a = growing.nodes[a].best.loss_change;
        const float loss_b = growing.nodes[b].best.loss_change;
        return loss_a != loss_b ? loss_a < loss_b : a > b;
    });
    if (best == open.end()) return next;
    if (!MaySplit(tree, growing.nodes[*best])) {
        // All others change the loss less, or the leaves are used up.
        next.closed = std::exchange(open, {});
        return next;
    }
    next.split.push_back(*best);
    open.erase(best);
    ++trees_[tree].num_leaves;
    return next;
}

}  // namespace espalier::learn
