// The pairs of all trees of a round side by side, as one sweep over the rows reads them at the roots
// (kernels/root_histogram.h).
//
// Memory: 8 to 16 bytes per row and tree, when there are several trees of packed pairs. Different rows may be spread at
// once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include "kernels/gradient_pair.h"
#include "kernels/root_histogram.h"

namespace espalier::learn {

template <typename Pair>
class TreeLanes {
  public:
    /// So many rows are best spread at once: their pairs, and what is spread from them, stay in the second cache.
    static constexpr std::size_t kBlockRows = 1024;

    TreeLanes(std::size_t num_trees, std::size_t num_rows) : num_trees_(num_trees), num_rows_(num_rows) {
        if (!std::is_same_v<Pair, kernels::PackedPair> || num_trees == 1) return;
        widths_ = kernels::TreeGroupWidths(num_trees);
        lanes_.resize(std::accumulate(widths_.begin(), widths_.end(), std::size_t{0}) * num_rows);
    }

    /// Rows [begin, end) of pairs [trees x rows].
    void Spread(const Pair* pairs, std::size_t begin, std::size_t end) {
        std::size_t first = 0;
        for (const std::size_t width : widths_) {
            Pair* const lanes = lanes_.data() + first * num_rows_;
            for (std::size_t tree = first; tree < std::min(first + width, num_trees_); ++tree) {
                const Pair* const of_tree = pairs + tree * num_rows_;
                for (std::size_t row = begin; row < end; ++row) lanes[row * width + (tree - first)] = of_tree[row];
            }
            first += width;
        }
    }

    /// [groups of trees][rows x width]; lanes without a tree are 0. Empty for a single tree and for wide pairs.
    std::span<const Pair> values() const { return lanes_; }

  private:
    const std::size_t num_trees_;
    const std::size_t num_rows_;
    std::vector<std::size_t> widths_;  ///< [groups of trees]
    std::vector<Pair> lanes_;
};

}  // namespace espalier::learn
