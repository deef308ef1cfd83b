#include "learn/tree_walk.h"

#include <algorithm>
#include <limits>

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 1024;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

/// The value of a feature in a row, or kMissing.
float ValueIn(const data::FeatureRows& rows, std::size_t row, std::uint32_t feature) {
    const std::uint32_t* begin = rows.feature_idx.data() + rows.row_offsets[row];
    const std::uint32_t* end = rows.feature_idx.data() + rows.row_offsets[row + 1];
    const std::uint32_t* at = begin + std::min<std::ptrdiff_t>(feature, end - begin);
    // In a row that has every feature, feature f is entry f.
    if (at == end || *at != feature) at = std::lower_bound(begin, at, feature);
    return at < end && *at == feature ? rows.values[static_cast<std::size_t>(at - rows.feature_idx.data())] : kMissing;
}

std::uint32_t LeafOf(const model::Tree& tree, const data::FeatureRows& rows, std::size_t row) {
    std::size_t node = 0;
    while (!tree.is_leaf(node)) {
        const float value = ValueIn(rows, row, static_cast<std::uint32_t>(tree.split_indices[node]));
        const bool missing = value != value;
        bool left = value < tree.split_conditions[node];
        if (missing) {
            left = tree.default_left[node] != 0;
        } else if (tree.is_categorical(node)) {
            const auto set = tree.CategoriesOf(node);
            left = value < 0 || value >= static_cast<float>(model::kCategoriesMax) ||
                   !std::binary_search(set.begin(), set.end(), static_cast<std::int32_t>(value));
        }
        node = static_cast<std::size_t>(left ? tree.left_children[node] : tree.right_children[node]);
    }
    return static_cast<std::uint32_t>(node);
}

}  // namespace

std::vector<std::uint32_t> FindLeaves(const model::Tree& tree, const data::FeatureRows& rows, WorkerTeam& team) {
    std::vector<std::uint32_t> leaves(rows.num_rows());
    team.ForBlocks(rows.num_rows(), kBlockRows, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t row = begin; row < end; ++row) leaves[row] = LeafOf(tree, rows, row);
    });
    return leaves;
}

}  // namespace espalier::learn
