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

/// Where feature 0 stands, or would stand, in a row whose features follow each other.
const float* FeatureZeroOf(const data::FeatureRows& rows, std::size_t row) {
    const std::uint64_t at = rows.row_offsets[row];
    return rows.values.data() + at - rows.feature_idx[at];
}

bool IsShallow(const Tree& tree, int depth, int depth_max) {
    return depth <= depth_max && tree.split_type.empty() && !tree.has_leaf_vectors();
}

}  // namespace

Forest Forest::Compile(const TreeEnsemble& ensemble) {
    Forest forest;
    forest.num_groups_ = ensemble.num_groups();
    forest.MapColumns(ensemble);
    forest.AddSteps(ensemble);
    forest.planes_ = PlaneProgram::Compile(ensemble, forest.num_columns_, [&](std::uint32_t feature) {
        return static_cast<std::uint32_t>(forest.FindColumn(feature));
    });
    return forest;
}

std::size_t Forest::memory_bytes() const {
    std::size_t bytes = BytesOf(used_features_, column_of_, group_of_tree_, steps_, octet_conditions_, octet_places_,
                                octet_leaves_, linked_nodes_, category_sets_, leaf_vectors_);
    for (const CategorySet& set : category_sets_) bytes += set.memory_bytes();
    return bytes + (planes_ ? planes_->memory_bytes() : 0);
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
    num_places_ = num_columns_;
    if (used_features_.empty()) return;
    is_direct_ = used_features_.back() <= kDirectFeatureMax;
    if (is_direct_) num_places_ = used_features_.back() + std::size_t{1};
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

std::uint32_t Forest::PlaceOf(const Tree& tree, std::size_t node) const {
    const auto feature = static_cast<std::uint32_t>(tree.split_indices[node]);
    const std::uint32_t place = is_direct_ ? feature : static_cast<std::uint32_t>(FindColumn(feature));
    return place | (tree.default_left[node] != 0 ? kernels::kMissingGoesLeft : 0);
}

void Forest::AddSteps(const TreeEnsemble& ensemble) {
    std::vector<int> depths;
    for (const Tree& tree : ensemble.trees) {
        depths.push_back(TreeDepth(tree));
        if (IsShallow(tree, depths.back(), kOctetDepthMax)) octet_depth_ = std::max(octet_depth_, depths.back());
    }
    for (std::size_t i = 0; i < ensemble.trees.size(); ++i) {
        const Tree& tree = ensemble.trees[i];
        const float weight = ensemble.booster == Booster::kDart ? ensemble.weight_drop[i] : 1.0F;
        group_of_tree_.push_back(static_cast<std::uint32_t>(ensemble.tree_info[i]));
        if (!IsShallow(tree, depths[i], kOctetDepthMax)) {
            steps_.push_back({i, 1, 0, linked_nodes_.size(), tree.has_leaf_vectors()});
            AddLinked(tree, weight);
            continue;
        }
        const bool goes_on = !steps_.empty() && steps_.back().num_octets > 0 &&
                             steps_.back().num_trees < kStepOctetsMax * kernels::kOctet;
        const std::size_t num_internal = (std::size_t{1} << octet_depth_) - 1;
        const std::size_t leaves_of_octet = (num_internal + 1) * kernels::kOctet;
        if (!goes_on) steps_.push_back({i, 0, 0, octet_leaves_.size() / leaves_of_octet, false});
        Step& step = steps_.back();
        const std::size_t lane = step.num_trees++ % kernels::kOctet;
        if (lane == 0) {
            ++step.num_octets;
            // What is not filled in goes anywhere, by a value that every dense row has.
            octet_conditions_.resize(octet_conditions_.size() + num_internal * kernels::kOctet, 0.0F);
            octet_places_.resize(octet_conditions_.size(),
                                 is_direct_ && !used_features_.empty() ? used_features_.front() : 0);
            octet_leaves_.resize(octet_leaves_.size() + leaves_of_octet, 0.0F);
        }
        AddOctetTree(tree, weight, step.begin + step.num_octets - 1, lane);
    }
}

// Below an early leaf the tree is filled up: every path ends in a copy of it.
void Forest::AddOctetTree(const Tree& tree, float weight, std::size_t octet, std::size_t lane) {
    const std::size_t num_internal = (std::size_t{1} << octet_depth_) - 1;
    std::vector<std::int32_t> level = {0};  // source node of each place of a level
    std::size_t node_of_octet = octet * num_internal;
    for (int d = 0; d < octet_depth_; ++d) {
        std::vector<std::int32_t> next;
        for (const std::int32_t node : level) {
            if (tree.is_leaf(Index(node))) {
                next.insert(next.end(), {node, node});
            } else {
                octet_conditions_[node_of_octet * kernels::kOctet + lane] = tree.split_conditions[Index(node)];
                octet_places_[node_of_octet * kernels::kOctet + lane] = PlaceOf(tree, Index(node));
                next.insert(next.end(), {tree.left_children[Index(node)], tree.right_children[Index(node)]});
            }
            ++node_of_octet;
        }
        level = std::move(next);
    }
    for (std::size_t i = 0; i < level.size(); ++i) {
        octet_leaves_[(octet * (num_internal + 1) + i) * kernels::kOctet + lane] =
            weight * tree.split_conditions[Index(level[i])];
    }
}

Forest::LinkedNode Forest::LinkedLeaf(const Tree& tree, float weight, std::size_t node) {
    if (!tree.has_leaf_vectors()) return {weight * tree.split_conditions[node], 0, -1, 0};
    auto place = static_cast<std::uint32_t>(leaf_vectors_.size());
    auto leaf_size = static_cast<std::size_t>(tree.leaf_size);
    std::size_t row = Index(tree.right_children[node]);
    for (std::size_t i = 0; i < leaf_size; ++i) leaf_vectors_.push_back(tree.leaf_weights[row * leaf_size + i]);
    return {0, place, -1, 0};
}

void Forest::AddLinked(const Tree& tree, float weight) {
    const std::size_t root = linked_nodes_.size();
    linked_nodes_.push_back({});
    std::vector<std::pair<std::int32_t, std::size_t>> open = {{0, root}};  // source node, place
    // Breadth first: the upper levels, which every row visits, lie together.
    for (std::size_t at = 0; at < open.size(); ++at) {
        auto [node, place] = open[at];
        if (tree.is_leaf(Index(node))) {
            linked_nodes_[place] = LinkedLeaf(tree, weight, Index(node));
            continue;
        }
        auto left = linked_nodes_.size();
        linked_nodes_.resize(left + 2);
        std::uint32_t place_in_row = PlaceOf(tree, Index(node));
        auto set = static_cast<std::uint32_t>(category_sets_.size());
        if (tree.is_categorical(Index(node))) {
            place_in_row |= kCategorical;
            category_sets_.emplace_back(tree.CategoriesOf(Index(node)));
        }
        linked_nodes_[place] = {tree.split_conditions[Index(node)], place_in_row,
                                static_cast<std::int32_t>(left - root), set};
        open.emplace_back(tree.left_children[Index(node)], left);
        open.emplace_back(tree.right_children[Index(node)], left + 1);
    }
}

void Forest::FillRow(const data::FeatureRows& rows, std::size_t row, float* dense) const {
    std::fill_n(dense, RowStride(), kMissing);
    const std::uint32_t* features = rows.feature_idx.data();
    const float* values = rows.values.data();
    const std::int32_t* table = column_of_.data();
    const std::size_t table_size = column_of_.size();
    const std::uint64_t begin = rows.row_offsets[row];
    std::uint64_t end = rows.row_offsets[row + 1];
    if (table_size == 0) {
        for (std::uint64_t e = begin; e < end; ++e) dense[FindColumn(features[e])] = values[e];
        return;
    }
    // Features rise: what lies beyond the table is a tail that no tree looks at.
    while (end > begin && features[end - 1] >= table_size) --end;
    if (is_direct_) {
        for (std::uint64_t e = begin; e < end; ++e) dense[features[e]] = values[e];
    } else {
        for (std::uint64_t e = begin; e < end; ++e) dense[table[features[e]]] = values[e];
    }
}

void Forest::WalkLinked(const Step& step, const float* row, float* margins) const {
    const LinkedNode* const nodes = linked_nodes_.data() + step.begin;
    const LinkedNode* node = nodes;
    while (node->left >= 0) {
        const float value = row[node->place & kPlaceMask];
        const bool missing = value != value;
        bool right = false;
        if ((node->place & kCategorical) != 0 && !missing) {
            right = category_sets_[node->set].Contains(value);
        } else {
            // Without branches: which way a row goes is as good as random to a branch predictor.
            right = !(value < node->condition) & !(missing & ((node->place & kernels::kMissingGoesLeft) != 0));
        }
        node = nodes + node->left + static_cast<std::ptrdiff_t>(right);
    }
    if (!step.leaf_vectors) {
        margins[group_of_tree_[step.first_tree]] += node->condition;
        return;
    }
    for (std::size_t group = 0; group < num_groups_; ++group) margins[group] += leaf_vectors_[node->place + group];
}

void Forest::WalkStep(const Step& step, const float* row, float* margins) const {
    if (step.num_octets == 0) return WalkLinked(step, row, margins);
    const std::size_t num_internal = (std::size_t{1} << octet_depth_) - 1;
    float leaves[kStepOctetsMax * kernels::kOctet];
    kernels::WalkOctets(
        {octet_depth_, step.num_octets, octet_conditions_.data() + step.begin * num_internal * kernels::kOctet,
         octet_places_.data() + step.begin * num_internal * kernels::kOctet,
         octet_leaves_.data() + step.begin * (num_internal + 1) * kernels::kOctet},
        row, leaves);
    const std::uint32_t* const groups = group_of_tree_.data() + step.first_tree;
    for (std::size_t i = 0; i < step.num_trees; ++i) margins[groups[i]] += leaves[i];
}

// Step by step, so that trees stay in the cache while all rows go through them.
void Forest::WalkRows(std::span<const float* const> rows, float* margins) const {
    for (const Step& step : steps_) {
        for (std::size_t r = 0; r < rows.size(); ++r) WalkStep(step, rows[r], margins + r * num_groups_);
    }
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
    const std::size_t block_rows =
        std::clamp<std::size_t>((std::size_t{512} << 10) / 4 / RowStride(), 1, kRowsPerBlock);
    thread_local std::vector<float> block;  // grows to the largest model of the thread, then nothing is allocated
    block.resize(std::max(block.size(), std::min(block_rows, rows.num_rows()) * RowStride()));
    const float* dense[kRowsPerBlock];
    for (std::size_t first = 0; first < rows.num_rows(); first += block_rows) {
        const std::size_t num_rows = std::min(block_rows, rows.num_rows() - first);
        for (std::size_t r = 0; r < num_rows; ++r) {
            dense[r] = block.data() + r * RowStride();
            if (is_direct_ && IsDense(rows, first + r)) {
                dense[r] = FeatureZeroOf(rows, first + r);
            } else {
                FillRow(rows, first + r, block.data() + r * RowStride());
            }
        }
        WalkRows({dense, num_rows}, margins.data() + first * num_groups_);
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
            picked[r] = FeatureZeroOf(rows, row);
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
    std::vector<float> filled(RowStride(), kMissing);
    for (std::size_t row = 0; row < num_rows; ++row) {
        const float* const given = values.data() + row * num_values;
        const float* dense = filled.data();
        if (is_direct_ && all_there) {
            dense = given;
        } else {
            for (std::size_t column = 0; column < used_features_.size(); ++column) {
                const std::size_t feature = used_features_[column];
                filled[is_direct_ ? feature : column] = feature < num_values ? given[feature] : kMissing;
            }
        }
        WalkRows({&dense, 1}, margins.data() + row * num_groups_);
    }
}

}  // namespace espalier::model
