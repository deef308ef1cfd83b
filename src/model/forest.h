// Trees laid out for walking: shallow ones eight at a time (kernels/tree_octets.h), deep ones as node arrays with
// siblings side by side; both over a dense row. Many rows at once go through kernels/plane_forest.h where all trees are
// shallow: the same sums, bit for bit.
//
// Nouns: place = where a feature stands in the dense row: at its own index while that is small, so that a row which has
// all features is walked where it lies; else its column; column = a feature's number among those the model uses; step =
// trees that follow each other and are walked together; block = up to kRowsPerBlock dense rows, missing = quiet NaN.
// A row goes left iff value < condition, or its value is missing and the node's default is left; categorical nodes as
// tree_ensemble.h says.
// Immutable after Compile and thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "data/feature_rows.h"
#include "kernels/tree_octets.h"
#include "model/category_set.h"
#include "model/plane_compiler.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

class Forest {
  public:
    /// The trees must satisfy CheckEnsemble.
    static Forest Compile(const TreeEnsemble& ensemble);

    /// Adds each tree's leaf to margins [rows x groups] f32 row-major, in tree order.
    void AddLeaves(const data::FeatureRows& rows, std::span<float> margins) const;
    /// The same for dense rows: values [margins / groups x num_values] of features 0 to num_values - 1, missing = NaN.
    void AddLeavesDense(std::span<const float> values, std::size_t num_values, std::span<float> margins) const;

    std::size_t num_columns() const { return num_columns_; }
    std::size_t memory_bytes() const;

  private:
    static constexpr std::size_t kRowsPerBlock = 64;
    /// Below, comparing every condition of the forest costs more than walking.
    static constexpr std::size_t kPlaneRowsMin = 24;
    static constexpr std::size_t kPickedTogether = 16;
    /// An octet of depth 6 takes 4 KB of nodes and 2 KB of leaves; one level more doubles that.
    static constexpr int kOctetDepthMax = 6;
    /// Octets of one step: what they find is kept on the stack.
    static constexpr std::size_t kStepOctetsMax = 32;
    /// Up to here a dense row of all features is no more to fill than one of the used ones.
    static constexpr std::uint32_t kDirectFeatureMax = 4096;
    static constexpr std::uint32_t kCategorical = 0x40000000U;
    static constexpr std::uint32_t kPlaceMask = kCategorical - 1;

    struct LinkedNode {
        float condition;      ///< of a leaf: its value
        std::uint32_t place;  ///< with kMissingGoesLeft and kCategorical; of a leaf: its place in leaf_vectors_
        std::int32_t left;    ///< the right child follows it; -1: a leaf
        std::uint32_t set;    ///< of a categorical node: its place in category_sets_
    };
    struct Step {
        std::size_t first_tree;
        std::size_t num_trees;
        std::size_t num_octets;  ///< 0: one linked tree
        std::size_t begin;       ///< the first octet; of a linked tree its root in linked_nodes_
        bool leaf_vectors;       ///< a linked tree whose leaves have a value for each group
    };

    void MapColumns(const TreeEnsemble& ensemble);
    std::int32_t FindColumn(std::uint32_t feature) const;
    /// Floats of a dense row: the places, and one more that takes the values nobody looks at, so that filling a row
    /// needs no branch.
    std::size_t RowStride() const { return num_places_ + 1; }
    std::uint32_t PlaceOf(const Tree& tree, std::size_t node) const;
    void AddSteps(const TreeEnsemble& ensemble);
    /// A leaf's value is multiplied by `weight`, as dart has it.
    void AddOctetTree(const Tree& tree, float weight, std::size_t octet, std::size_t lane);
    void AddLinked(const Tree& tree, float weight);
    LinkedNode LinkedLeaf(const Tree& tree, float weight, std::size_t node);
    void FillColumns(const data::FeatureRows& rows, std::size_t first, std::size_t count, float* values) const;
    void ScatterColumns(const data::FeatureRows& rows, std::size_t first, std::size_t count, float* values) const;
    bool IsDense(const data::FeatureRows& rows, std::size_t row) const;
    void PickColumns(const float* const* rows, std::size_t count, const float* next, std::size_t next_floats,
                     float* values) const;
    void FillRow(const data::FeatureRows& rows, std::size_t row, float* dense) const;
    /// Fills values [columns x kPlaneStride] with rows first to first + count.
    template <typename Fill>
    void AddLeavesByPlanes(std::size_t num_rows, std::span<float> margins, const Fill& fill) const;
    /// rows [num_rows]: dense rows. margins [num_rows x groups].
    void WalkRows(std::span<const float* const> rows, float* margins) const;
    void WalkStep(const Step& step, const float* row, float* margins) const;
    void WalkLinked(const Step& step, const float* row, float* margins) const;

    std::size_t num_groups_ = 1;
    std::size_t num_columns_ = 0;
    std::vector<std::uint32_t> used_features_;  ///< [columns] rising
    std::vector<std::int32_t> column_of_;  ///< [features] num_columns_: unused; empty when a table would be too large
    std::size_t num_places_ = 0;
    bool is_direct_ = false;  ///< places are features
    std::vector<std::uint32_t> group_of_tree_;
    std::vector<Step> steps_;
    int octet_depth_ = 0;
    std::vector<float> octet_conditions_;  ///< as kernels::TreeOctets
    std::vector<std::uint32_t> octet_places_;
    std::vector<float> octet_leaves_;
    std::vector<LinkedNode> linked_nodes_;
    std::vector<CategorySet> category_sets_;
    std::vector<float> leaf_vectors_;
    std::optional<PlaneProgram> planes_;
};

}  // namespace espalier::model
