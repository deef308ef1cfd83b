// A trained model: trees in XGBoost's terms, independent of the file format they came from or go to.
//
// Source: the JSON schema of XGBoost 3.x (doc/model.schema). Names of members are the schema's names.
// Thread-compatible; immutable once built.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace espalier::model {

/// split_indices of a node that pruning took out of an old model's tree; no path leads to it.
inline constexpr std::int32_t kDeletedNodeMarker = 2147483647;
/// parents of a root.
inline constexpr std::int32_t kRootParent = 2147483647;
/// Categories are numbered below this.
inline constexpr std::int32_t kCategoriesMax = 1 << 24;

/// One regression tree, as parallel arrays indexed by node id; node 0 is the root. All arrays have num_nodes entries.
struct Tree {
    std::vector<std::int32_t> left_children;   ///< -1 for a leaf
    std::vector<std::int32_t> right_children;  ///< -1 for a leaf
    std::vector<std::int32_t> parents;         ///< 2147483647 for the root
    std::vector<std::int32_t> split_indices;   ///< feature index; 0 for a leaf
    /// A row goes left iff value < split_condition. A leaf of one value holds it here.
    std::vector<float> split_conditions;
    std::vector<std::uint8_t> default_left;  ///< 1: a missing value goes left
    std::vector<float> base_weights;         ///< [nodes x leaf_size]
    std::vector<float> loss_changes;
    std::vector<float> sum_hessian;

    /// Empty, or [nodes] with 1 for a categorical split: a row goes right iff its value, cut to a whole number, is in
    /// the node's set. Values below 0, from kCategoriesMax on or in no set go left.
    std::vector<std::uint8_t> split_type;
    std::vector<std::int32_t> categories;           ///< the sets one after the other, each rising
    std::vector<std::int32_t> categories_nodes;     ///< [sets] the node of each, rising
    std::vector<std::int64_t> categories_segments;  ///< [sets] where each starts in categories
    std::vector<std::int64_t> categories_sizes;     ///< [sets]

    /// Values of a leaf: more than one in a tree that predicts all targets at once (multi_strategy=multi_output_tree).
    /// right_children of its leaves are then their rows in leaf_weights, and parents of the root is -1.
    std::int32_t leaf_size = 1;
    std::vector<float> leaf_weights;  ///< [leaves x leaf_size]; empty when leaf_size is 1

    std::size_t num_nodes() const { return left_children.size(); }
    bool is_leaf(std::size_t node) const { return left_children[node] < 0; }
    bool is_categorical(std::size_t node) const { return !split_type.empty() && split_type[node] != 0; }
    bool has_leaf_vectors() const { return leaf_size > 1; }
    /// The set of a categorical split; empty when the tree has none for the node.
    std::span<const std::int32_t> CategoriesOf(std::size_t node) const;
};

enum class Booster { kGbtree, kDart, kGblinear };

/// What the categories of one feature were called when the model was trained; the trees know their numbers only. Kept
/// for the file's sake: rows come with numbers here.
struct CategoryNames {
    /// The file's number for the type of `values`; 0: names, the bytes of all one after the other, cut at `offsets`.
    std::int64_t type = 0;
    std::vector<std::int32_t> offsets;
    std::vector<std::int64_t> values;
};

struct TreeEnsemble {
    std::string objective = "reg:squarederror";  ///< XGBoost's name
    /// The objective's own parameters as the schema writes them, for example {"scale_pos_weight": "1"}.
    std::map<std::string, std::string> objective_params;
    std::int32_t num_class = 0;   ///< 0 unless the objective is multi:*
    std::int32_t num_target = 1;  ///< labels a row has, or quantiles; 1 with multi:*
    std::uint32_t num_feature = 0;
    /// Intercept in the scale of the objective's output (a probability for logistic), one per output group or a single
    /// one for all groups, as the file says; BaseMargins() gives what is added to the sum of leaves.
    std::vector<float> base_score = {0.5F};
    bool boost_from_average = true;  ///< base_score was estimated from the labels, not given by the user
    std::int32_t num_parallel_tree = 1;
    std::vector<Tree> trees;                           ///< in boosting order; within a round group-major
    std::vector<std::int32_t> tree_info;               ///< [trees] output group of each tree
    std::vector<std::int32_t> iteration_indptr = {0};  ///< [rounds + 1] first tree of each round
    std::map<std::string, std::string> attributes;     ///< best_iteration, best_score, …
    std::vector<std::string> feature_names;
    std::vector<std::string> feature_types;               ///< "float", "int", "i", "q", or "c" for categories
    std::vector<CategoryNames> category_names;            ///< empty, or one a feature
    std::vector<std::int32_t> category_names_segments;    ///< [features + 1] first name of each, as the file has them
    std::vector<std::int32_t> category_names_sorted_idx;  ///< [names]

    Booster booster = Booster::kGbtree;
    std::vector<float> weight_drop;  ///< dart: [trees] what each tree's leaves are multiplied by
    /// gblinear: [(num_feature + 1) x groups] weights, feature-major, the bias last. It has no trees.
    std::vector<float> linear_weights;
    std::int64_t boosted_rounds = 0;  ///< gblinear's number of rounds

    /// Number of outputs a row has before the link: num_class for multi:*, else num_target.
    std::size_t num_groups() const { return static_cast<std::size_t>(std::max({num_class, num_target, 1})); }
    std::size_t num_rounds() const { return iteration_indptr.size() - 1; }
};

/// kCorruptData, naming the tree and node, unless every tree is one: arrays equally long and not empty; from the root
/// each node is reached at most once (no cycle, one parent, which `parents` names); children exist in pairs and in
/// range; split features below num_feature; each categorical split has a set, each vector leaf its row. And unless the
/// ensemble is whole: tree_info in range, iteration_indptr rising from 0 to the number of trees, base_score finite, one
/// or one per group, a weight for each tree of dart, gblinear's weights for each feature and group. Time and memory
/// linear in the nodes.
Result<void> CheckEnsemble(const TreeEnsemble& ensemble);

/// Leaves only the rounds from begin to before end (0: the last one). kInvalidArgument unless there are such rounds; a
/// gblinear model has all of them or none.
Result<void> KeepRounds(TreeEnsemble& ensemble, std::size_t begin, std::size_t end);

}  // namespace espalier::model
