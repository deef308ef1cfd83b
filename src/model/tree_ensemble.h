// A trained model: trees in XGBoost's terms, independent of the file format they came from or go to.
//
// Source: the JSON schema of XGBoost 3.x (doc/model.schema). Names of members are the schema's names.
// Thread-compatible; immutable once built.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace espalier::model {

/// split_indices of a node that pruning took out of an old model's tree; no path leads to it.
inline constexpr std::int32_t kDeletedNodeMarker = 2147483647;
/// parents of a root.
inline constexpr std::int32_t kRootParent = 2147483647;

/// One regression tree, as parallel arrays indexed by node id; node 0 is the root. All arrays have num_nodes entries.
struct Tree {
    std::vector<std::int32_t> left_children;   ///< -1 for a leaf
    std::vector<std::int32_t> right_children;  ///< -1 for a leaf
    std::vector<std::int32_t> parents;         ///< 2147483647 for the root
    std::vector<std::int32_t> split_indices;   ///< feature index; 0 for a leaf
    std::vector<float> split_conditions;  ///< a row goes left iff value < split_condition; a leaf holds its value here
    std::vector<std::uint8_t> default_left;  ///< 1: a missing value goes left
    std::vector<float> base_weights;
    std::vector<float> loss_changes;
    std::vector<float> sum_hessian;

    std::size_t num_nodes() const { return left_children.size(); }
    bool is_leaf(std::size_t node) const { return left_children[node] < 0; }
};

struct TreeEnsemble {
    std::string objective = "reg:squarederror";  ///< XGBoost's name
    /// The objective's own parameters as the schema writes them, for example {"scale_pos_weight": "1"}.
    std::map<std::string, std::string> objective_params;
    std::int32_t num_class = 0;  ///< 0 unless the objective is multi:*
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
    std::vector<std::string> feature_types;

    /// Number of outputs a row has before the link: num_class for multi:*, else 1.
    std::size_t num_groups() const { return num_class > 1 ? static_cast<std::size_t>(num_class) : 1; }
    std::size_t num_rounds() const { return iteration_indptr.size() - 1; }
};

/// kCorruptData, naming the tree and node, unless every tree is one: arrays equally long and not empty; from the root
/// each node is reached at most once (no cycle, one parent, which `parents` names); children exist in pairs and in
/// range; split features below num_feature. And unless the ensemble is whole: tree_info in range, iteration_indptr
/// rising from 0 to the number of trees, base_score finite, one or one per group. Time and memory linear in the nodes.
Result<void> CheckEnsemble(const TreeEnsemble& ensemble);

}  // namespace espalier::model
