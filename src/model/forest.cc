#include "model/forest.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <utility>

namespace espalier::model {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

std::size_t Index(std::int32_t node) {
    return static_cast<std::size_t>(node);
}

int TreeDepth(const Tree& tree) {
    int deepest = 0;
    std::vector<std::pair<std::int32_t, int>> open = {{0, 0}};
    while (!open.empty()) {
        auto [node, depth] = open.back();
        open.pop_back();
        deepest = std::max(deepest, depth);
        if (tree.is_leaf(Index(node))) continue;
        open.emplace_back(tree.left_children[Index(node)], depth + 1);
        open.emplace_back(tree.right_children[Index(node)], depth + 1);
    }
    return deepest;
}

// Floats at an address that every vector may load from. Not filled.
class AlignedFloats {
  public:
    void Reserve(std::size_t count) {
        if (count <= size_) return;
        constexpr std::size_t kAlignment = 64;
        floats_.reset(new (std::align_val_t(kAlignment)) float[count]);
        size_ = count;
    }
    float* data() const { return floats_.get(); }

  private:
    struct Free {
        void operator()(float* floats) const { ::operator delete[](floats, std::align_val_t(64)); }
    };
    std::unique_ptr<float[], Free> floats_;
    std::size_t size_ = 0;
};

// 1 for the right child. Without branches: which way a row goes is as good as random to a branch predictor.
inline std::uint32_t GoesRight(float value, float condition, std::uint32_t column) {
    auto not_less = static_cast<std::uint32_t>(!(value < condition));
    auto missing = static_cast<std::uint32_t>(value != value);
    return not_less & ~(missing & (column >> 31));
}

}  // namespace

Forest Forest::Compile(const TreeEnsemble& ensemble) {
    Forest forest;
    forest.num_groups_ = ensemble.num_groups();
    forest.MapColumns(ensemble);
    for (std::size_t i = 0; i < ensemble.trees.size(); ++i) {
        const Tree& tree = ensemble.trees[i];
        CompiledTree compiled{static_cast<std::uint32_t>(ensemble.tree_info[i]), -1, 0, 0, tree.has_leaf_vectors()};
        float weight = ensemble.booster == Booster::kDart ? ensemble.weight_drop[i] : 1.0F;
        int depth = TreeDepth(tree);
        if (depth <= kCompleteDepthMax && tree.split_type.empty() && !tree.has_leaf_vectors()) {
            forest.AddComplete(tree, weight, depth, compiled);
        } else {
            forest.AddLinked(tree, weight, compiled);
        }
        forest.trees_.push_back(compiled);
    }
    forest.planes_ = PlaneProgram::Compile(ensemble, forest.num_columns_, [&](std::uint32_t feature) {
        return static_cast<std::uint32_t>(forest.FindColumn(feature));
    });
    return forest;
}

void Forest::MapColumns(const TreeEnsemble& ensemble) {
    std::size_t num_nodes = 0;
    for (const Tree& tree : ensemble.trees) {
        num_nodes += tree.num_nodes();
        for (std::size_t node = 0; node < tree.num_nodes(); ++node) {
            bool used = !tree.is_leaf(node) && tree.split_indices[node] >= 0 &&
                        static_cast<std::uint32_t>(tree.split_indices[node]) < ensemble.num_feature;
            if (used) used_features_.push_back(static_cast<std::uint32_t>(tree.split_indices[node]));
        }
    }
    std::sort(used_features_.begin(), used_features_.end());
    used_features_.erase(std::unique(used_features_.begin(), used_features_.end()), used_features_.end());
    num_columns_ = std::max<std::size_t>(used_features_.size(), 1);
    if (used_features_.empty()) return;
    // A table over all features unless a few huge indices would make it larger than the model itself.
    std::size_t table_size = std::size_t{used_features_.back()} + 1;
    if (table_size > std::max<std::size_t>(std::size_t{1} << 16, 16 * num_nodes)) return;
    column_of_.assign(table_size, static_cast<std::int32_t>(num_columns_));
    for (std::size_t column = 0; column < used_features_.size(); ++column) {
        column_of_[used_features_[column]] = static_cast<std::int32_t>(column);
    }
}

std::int32_t Forest::FindColumn(std::uint32_t feature) const {
    auto found = std::lower_bound(used_features_.begin(), used_features_.end(), feature);
    if (found == used_features_.end() || *found != feature) return static_cast<std::int32_t>(num_columns_);
    return static_cast<std::int32_t>(found - used_features_.begin());
}

// Below an early leaf the tree is filled up: every path ends in a copy of it.
void Forest::AddComplete(const Tree& tree, float weight, int depth, CompiledTree& compiled) {
    std::size_t num_internal = (std::size_t{1} << depth) - 1;
    compiled.depth = depth;
    compiled.nodes = complete_nodes_.size();
    compiled.leaves = complete_leaves_.size();
    complete_nodes_.resize(compiled.nodes + num_internal, {0.0F, kDefaultLeft});
    complete_leaves_.resize(compiled.leaves + num_internal + 1);
    std::vector<std::int32_t> level = {0};  // source node of each place of a level
    std::size_t place = 0;
    for (int d = 0; d < depth; ++d) {
        std::vector<std::int32_t> next;
        for (std::int32_t node : level) {
            if (tree.is_leaf(Index(node))) {
                next.insert(next.end(), {node, node});
            } else {
                complete_nodes_[compiled.nodes + place] = {tree.split_conditions[Index(node)],
                                                           SplitColumn(tree, Index(node))};
                next.insert(next.end(), {tree.left_children[Index(node)], tree.right_children[Index(node)]});
            }
            ++place;
        }
        level = std::move(next);
    }
    for (std::size_t i = 0; i < level.size(); ++i) {
        complete_leaves_[compiled.leaves + i] = weight * tree.split_conditions[Index(level[i])];
    }
}

std::uint32_t Forest::SplitColumn(const Tree& tree, std::size_t node) const {
    auto column = static_cast<std::uint32_t>(FindColumn(static_cast<std::uint32_t>(tree.split_indices[node])));
    return column | (tree.default_left[node] != 0 ? kDefaultLeft : 0);
}

Forest::LinkedNode Forest::LinkedLeaf(const Tree& tree, float weight, std::size_t node) {
    if (!tree.has_leaf_vectors()) return {weight * tree.split_conditions[node], 0, -1, 0};
    auto place = static_cast<std::uint32_t>(leaf_vectors_.size());
    auto leaf_size = static_cast<std::size_t>(tree.leaf_size);
    std::size_t row = Index(tree.right_children[node]);
    for (std::size_t i = 0; i < leaf_size; ++i) leaf_vectors_.push_back(tree.leaf_weights[row * leaf_size + i]);
    return {0, place, -1, 0};
}

void Forest::AddLinked(const Tree& tree, float weight, CompiledTree& compiled) {
    compiled.nodes = linked_nodes_.size();
    linked_nodes_.push_back({});
    std::vector<std::pair<std::int32_t, std::size_t>> open = {{0, compiled.nodes}};  // source node, place
    // Breadth first: the upper levels, which every row visits, lie together.
    for (std::size_t at = 0; at < open.size(); ++at) {
        auto [node, place] = open[at];
        if (tree.is_leaf(Index(node))) {
            linked_nodes_[place] = LinkedLeaf(tree, weight, Index(node));
            continue;
        }
        auto left = linked_nodes_.size();
        linked_nodes_.resize(left + 2);
        std::uint32_t column = SplitColumn(tree, Index(node));
        auto set = static_cast<std::uint32_t>(category_sets_.size());
        if (tree.is_categorical(Index(node))) {
            column |= kCategorical;
            category_sets_.emplace_back(tree.CategoriesOf(Index(node)));
        }
        linked_nodes_[place] = {tree.split_conditions[Index(node)], column,
                                static_cast<std::int32_t>(left - compiled.nodes), set};
        open.emplace_back(tree.left_children[Index(node)], left);
        open.emplace_back(tree.right_children[Index(node)], left + 1);
    }
}

void Forest::FillBlock(const data::FeatureRows& rows, std::size_t first_row, std::size_t num_rows, float* block) const {
    std::size_t stride = RowStride();
    std::fill_n(block, num_rows * stride, kMissing);
    const std::uint32_t* features = rows.feature_idx.data();
    const float* values = rows.values.data();
    const std::int32_t* table = column_of_.data();
    std::size_t table_size = column_of_.size();
    for (std::size_t r = 0; r < num_rows; ++r) {
        float* row = block + r * stride;
        std::uint64_t begin = rows.row_offsets[first_row + r];
        std::uint64_t end = rows.row_offsets[first_row + r + 1];
        if (table_size == 0) {
            for (std::uint64_t e = begin; e < end; ++e) row[FindColumn(features[e])] = values[e];
            continue;
        }
        // Features rise: what lies beyond the table is a tail that no tree looks at.
        while (end > begin && features[end - 1] >= table_size) --end;
        for (std::uint64_t e = begin; e < end; ++e) row[table[features[e]]] = values[e];
    }
}

void Forest::WalkComplete(const CompiledTree& tree, const float* block, std::size_t num_rows, float* margins) const {
    constexpr std::size_t kTogether = kWalkedTogether;
    const CompleteNode* nodes = complete_nodes_.data() + tree.nodes;
    const float* leaves = complete_leaves_.data() + tree.leaves;
    std::uint32_t num_internal = (1U << tree.depth) - 1;
    std::size_t stride = RowStride();
    for (std::size_t r = 0; r < num_rows; r += kTogether) {
        // Unrolled, so that the places stay in registers.
        std::uint32_t at[kTogether] = {};
        for (std::int32_t d = 0; d < tree.depth; ++d) {
#pragma GCC unroll 8
            for (std::size_t i = 0; i < kTogether; ++i) {
                const CompleteNode& node = nodes[at[i]];
                float value = block[(r + i) * stride + (node.column & ~kDefaultLeft)];
                at[i] = 2 * at[i] + 1 + GoesRight(value, node.condition, node.column);
            }
        }
#pragma GCC unroll 8
        for (std::size_t i = 0; i < kTogether; ++i) {
            margins[(r + i) * num_groups_ + tree.group] += leaves[at[i] - num_internal];
        }
    }
}

// Eight complete trees of one depth at once hide the latency of each other's loads.
void Forest::WalkRow(const float* row, float* margins) const {
    constexpr std::size_t kTogether = 8;
    for (std::size_t t = 0; t < trees_.size();) {
        const CompiledTree& first = trees_[t];
        if (first.depth < 0) {
            WalkLinked(first, row, 1, margins);
            ++t;
            continue;
        }
        std::size_t together = 1;
        while (together < kTogether && t + together < trees_.size() && trees_[t + together].depth == first.depth)
            ++together;
        std::uint32_t at[kTogether] = {};
        const CompleteNode* nodes[kTogether];
        for (std::size_t i = 0; i < kTogether; ++i)
            nodes[i] = complete_nodes_.data() + trees_[t + std::min(i, together - 1)].nodes;
        for (std::int32_t d = 0; d < first.depth; ++d) {
#pragma GCC unroll 8
            for (std::size_t i = 0; i < kTogether; ++i) {
                const CompleteNode& node = nodes[i][at[i]];
                float value = row[node.column & ~kDefaultLeft];
                at[i] = 2 * at[i] + 1 + GoesRight(value, node.condition, node.column);
            }
        }
        std::uint32_t num_internal = (1U << first.depth) - 1;
        for (std::size_t i = 0; i < together; ++i) {
            const CompiledTree& tree = trees_[t + i];
            margins[tree.group] += complete_leaves_[tree.leaves + at[i] - num_internal];
        }
        t += together;
    }
}

void Forest::WalkLinked(const CompiledTree& tree, const float* block, std::size_t num_rows, float* margins) const {
    const LinkedNode* nodes = linked_nodes_.data() + tree.nodes;
    for (std::size_t r = 0; r < num_rows; ++r) {
        const float* row = block + r * RowStride();
        const LinkedNode* node = nodes;
        while (node->left >= 0) {
            float value = row[node->column & kColumnMask];
            bool by_set = (node->column & kCategorical) != 0 && value == value;
            std::uint32_t right = by_set ? static_cast<std::uint32_t>(category_sets_[node->set].Contains(value))
                                         : GoesRight(value, node->condition, node->column);
            node = nodes + node->left + right;
        }
        float* row_margins = margins + r * num_groups_;
        if (!tree.leaf_vectors) {
            row_margins[tree.group] += node->condition;
            continue;
        }
        for (std::size_t group = 0; group < num_groups_; ++group)
            row_margins[group] += leaf_vectors_[node->column + group];
    }
}

void Forest::WalkBlock(const float* block, std::size_t num_rows, float* margins) const {
    std::size_t together = num_rows / kWalkedTogether * kWalkedTogether;
    for (const CompiledTree& tree : trees_) {
        if (together == 0) break;
        if (tree.depth >= 0) {
            WalkComplete(tree, block, together, margins);
        } else {
            WalkLinked(tree, block, together, margins);
        }
    }
    for (std::size_t row = together; row < num_rows; ++row)
        WalkRow(block + row * RowStride(), margins + row * num_groups_);
}

template <typename Fill>
void Forest::AddLeavesByPlanes(std::size_t num_rows, std::span<float> margins, const Fill& fill) const {
    using kernels::kPlaneRows;
    // Of the thread: they grow to its largest model, then nothing is allocated.
    thread_local AlignedFloats values;
    thread_local AlignedFloats sums;
    thread_local AlignedFloats planes;
    values.Reserve(num_columns_ * kernels::kPlaneStride);
    sums.Reserve(num_groups_ * kPlaneRows);
    planes.Reserve(planes_->num_planes() * kernels::kPlaneBytes / sizeof(float));
    for (std::size_t first = 0; first < num_rows; first += kPlaneRows) {
        std::size_t count = std::min(kPlaneRows, num_rows - first);
        fill(first, count, values.data());
        float* row_margins = margins.data() + first * num_groups_;
        for (std::size_t row = 0; row < count; ++row) {
            for (std::size_t group = 0; group < num_groups_; ++group)
                sums.data()[group * kPlaneRows + row] = row_margins[row * num_groups_ + group];
        }
        kernels::AddPlaneLeaves(planes_->View(), values.data(), count, reinterpret_cast<std::uint8_t*>(planes.data()),
                                sums.data());
        for (std::size_t row = 0; row < count; ++row) {
            for (std::size_t group = 0; group < num_groups_; ++group)
                row_margins[row * num_groups_ + group] = sums.data()[group * kPlaneRows + row];
        }
    }
}

void Forest::AddLeaves(const data::FeatureRows& rows, std::span<float> margins) const {
    if (planes_ && !column_of_.empty() && rows.num_rows() >= kPlaneRowsMin) {
        return AddLeavesByPlanes(rows.num_rows(), margins, [&](std::size_t first, std::size_t count, float* values) {
            FillColumns(rows, first, count, values);
        });
    }
    // A block of a very wide model is fewer rows, so that it stays in the second-level cache (half a megabyte).
    std::size_t block_rows = std::clamp<std::size_t>((std::size_t{512} << 10) / 4 / RowStride(), 1, kRowsPerBlock);
    thread_local std::vector<float> block;  // grows to the largest model of the thread, then nothing is allocated
    block.resize(std::max(block.size(), std::min(block_rows, rows.num_rows()) * RowStride()));
    for (std::size_t first = 0; first < rows.num_rows(); first += block_rows) {
        std::size_t num_rows = std::min(block_rows, rows.num_rows() - first);
        FillBlock(rows, first, num_rows, block.data());
        WalkBlock(block.data(), num_rows, margins.data() + first * num_groups_);
    }
}

// Sixteen rows at a time stay in the cache while their columns are picked out. rows[r][f] is feature f of row r; the
// rows that come next begin at `next` and are as long: they are asked for meanwhile, as sixteen streams are too many
// for the processor to see where they go.
void Forest::PickColumns(const float* const* rows, std::size_t count, const float* next, std::size_t next_floats,
                         float* values) const {
    constexpr std::size_t kLineFloats = 16;
    std::size_t num_columns = std::max<std::size_t>(used_features_.size(), 1);
    std::size_t lines = (next_floats / kLineFloats + num_columns) / num_columns;
    for (std::size_t column = 0; column < used_features_.size(); ++column) {
        for (std::size_t line = 0; line < lines; ++line, next += kLineFloats) __builtin_prefetch(next);
        std::size_t feature = used_features_[column];
        float* to = values + column * kernels::kPlaneStride;
        if (count == kPickedTogether) {
#pragma GCC unroll 16
            for (std::size_t r = 0; r < kPickedTogether; ++r) to[r] = rows[r][feature];
        } else {
            for (std::size_t r = 0; r < count; ++r) to[r] = rows[r][feature];
        }
    }
}

// True when the row's entries are those of the features one after the other, all that the model uses among them.
bool Forest::IsDense(const data::FeatureRows& rows, std::size_t row) const {
    std::uint64_t begin = rows.row_offsets[row];
    std::uint64_t end = rows.row_offsets[row + 1];
    if (begin == end || used_features_.empty()) return false;
    std::uint32_t first = rows.feature_idx[begin];
    std::uint32_t last = rows.feature_idx[end - 1];
    return end - begin == std::uint64_t{last} - first + 1 && first <= used_features_.front() &&
           last >= used_features_.back();
}

void Forest::FillColumns(const data::FeatureRows& rows, std::size_t first, std::size_t count, float* values) const {
    for (std::size_t begin = 0; begin < count; begin += kPickedTogether) {
        std::size_t together = std::min(kPickedTogether, count - begin);
        const float* picked[kPickedTogether];
        bool dense = true;
        for (std::size_t r = 0; r < together && dense; ++r) {
            std::size_t row = first + begin + r;
            dense = IsDense(rows, row);
            if (!dense) break;
            std::uint64_t at = rows.row_offsets[row];
            // Where feature 0 would stand.
            picked[r] = rows.values.data() + at - rows.feature_idx[at];
        }
        if (dense) {
            const float* next = rows.values.data() + rows.row_offsets[first + begin + together];
            std::uint64_t floats = rows.row_offsets[first + begin + together] - rows.row_offsets[first + begin];
            PickColumns(picked, together, next, floats, values + begin);
        } else {
            ScatterColumns(rows, first + begin, together, values + begin);
        }
    }
}

void Forest::ScatterColumns(const data::FeatureRows& rows, std::size_t first, std::size_t count, float* values) const {
    for (std::size_t column = 0; column < num_columns_; ++column)
        std::fill_n(values + column * kernels::kPlaneStride, count, kMissing);
    const std::int32_t* table = column_of_.data();
    std::size_t table_size = column_of_.size();
    auto unused = static_cast<std::int32_t>(num_columns_);
    for (std::size_t row = 0; row < count; ++row) {
        std::uint64_t end = rows.row_offsets[first + row + 1];
        for (std::uint64_t e = rows.row_offsets[first + row]; e < end; ++e) {
            std::uint32_t feature = rows.feature_idx[e];
            if (feature >= table_size) break;
            if (table[feature] != unused)
                values[static_cast<std::size_t>(table[feature]) * kernels::kPlaneStride + row] = rows.values[e];
        }
    }
}

void Forest::AddLeavesDense(std::span<const float> values, std::size_t num_values, std::span<float> margins) const {
    std::size_t num_rows = margins.size() / num_groups_;
    bool all_there = used_features_.empty() || used_features_.back() < num_values;
    if (planes_ && all_there && num_rows >= kPlaneRowsMin) {
        return AddLeavesByPlanes(num_rows, margins, [&](std::size_t first, std::size_t count, float* columns) {
            for (std::size_t begin = 0; begin < count; begin += kPickedTogether) {
                std::size_t together = std::min(kPickedTogether, count - begin);
                const float* picked[kPickedTogether];
                for (std::size_t r = 0; r < together; ++r) picked[r] = values.data() + (first + begin + r) * num_values;
                PickColumns(picked, together, picked[0] + together * num_values, together * num_values,
                            columns + begin);
            }
        });
    }
    std::vector<float> block(RowStride(), kMissing);
    for (std::size_t row = 0; row < num_rows; ++row) {
        for (std::size_t column = 0; column < used_features_.size(); ++column) {
            std::size_t feature = used_features_[column];
            block[column] = feature < num_values ? values[row * num_values + feature] : kMissing;
        }
        WalkBlock(block.data(), 1, margins.data() + row * num_groups_);
    }
}

}  // namespace espalier::model
