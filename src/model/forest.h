// Trees laid out for walking: shallow ones as complete binary trees without child pointers, deep ones as node arrays
// with siblings side by side; both over a dense row of the features the model uses. Many rows at once go through
// kernels/plane_forest.h where all trees are shallow: the same sums, bit for bit.
//
// Nouns: column = a used feature's place in the dense row; block = up to kRowsPerBlock dense rows, missing = quiet NaN.
// A row goes left iff value < condition, or its value is missing and the node's default is left; categorical nodes as
// tree_ensemble.h says.
// Immutable after Compile and thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "data/feature_rows.h"
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

  private:
    static constexpr std::size_t kRowsPerBlock = 64;
    /// Below, comparing every condition of the forest costs more than walking.
    static constexpr std::size_t kPlaneRowsMin = 24;
    static constexpr std::size_t kPickedTogether = 16;
    /// Rows in flight at once hide the latency of each other's loads.
    static constexpr std::size_t kWalkedTogether = 8;
    /// Complete trees of depth 6 take 63 nodes of 8 bytes and 64 leaves; one level more doubles that.
    static constexpr int kCompleteDepthMax = 6;
    static constexpr std::uint32_t kDefaultLeft = 0x80000000U;
    static constexpr std::uint32_t kCategorical = 0x40000000U;
    static constexpr std::uint32_t kColumnMask = kCategorical - 1;

    struct CompleteNode {
        float condition;
        std::uint32_t column;  ///< with kDefaultLeft
    };
    struct LinkedNode {
        float condition;       ///< of a leaf: its value
        std::uint32_t column;  ///< with kDefaultLeft and kCategorical; of a leaf: its place in leaf_vectors_
        std::int32_t left;     ///< the right child follows it; -1: a leaf
        std::uint32_t set;     ///< of a categorical node: its place in category_sets_
    };
    struct CompiledTree {
        std::uint32_t group;
        std::int32_t depth;  ///< of a complete tree; -1: linked
        std::size_t nodes;   ///< first node in complete_nodes_ or linked_nodes_
        std::size_t leaves;  ///< first leaf in complete_leaves_
        bool leaf_vectors;   ///< a linked tree whose leaves have a value for each group
    };

    void MapColumns(const TreeEnsemble& ensemble);
    std::int32_t FindColumn(std::uint32_t feature) const;
    /// Floats of a dense row: the columns, and one more that takes the values nobody looks at, so that filling a row
    /// needs no branch.
    std::size_t RowStride() const { return num_columns_ + 1; }
    /// A leaf's value is multiplied by `weight`, as dart has it.
    void AddComplete(const Tree& tree, float weight, int depth, CompiledTree& compiled);
    void AddLinked(const Tree& tree, float weight, CompiledTree& compiled);
    LinkedNode LinkedLeaf(const Tree& tree, float weight, std::size_t node);
    std::uint32_t SplitColumn(const Tree& tree, std::size_t node) const;
    void FillColumns(const data::FeatureRows& rows, std::size_t first, std::size_t count, float* values) const;
    void ScatterColumns(const data::FeatureRows& rows, std::size_t first, std::size_t count, float* values) const;
    bool IsDense(const data::FeatureRows& rows, std::size_t row) const;
    void PickColumns(const float* const* rows, std::size_t count, const float* next, std::size_t next_floats,
                     float* values) const;
    void FillBlock(const data::FeatureRows& rows, std::size_t first_row, std::size_t num_rows, float* block) const;
    /// Fills values [columns x kPlaneStride] with rows first to first + count.
    template <typename Fill>
    void AddLeavesByPlanes(std::size_t num_rows, std::span<float> margins, const Fill& fill) const;
    void WalkBlock(const float* block, std::size_t num_rows, float* margins) const;
    void WalkRow(const float* row, float* margins) const;
    /// num_rows: a multiple of kWalkedTogether.
    void WalkComplete(const CompiledTree& tree, const float* block, std::size_t num_rows, float* margins) const;
    void WalkLinked(const CompiledTree& tree, const float* block, std::size_t num_rows, float* margins) const;

    std::size_t num_groups_ = 1;
    std::size_t num_columns_ = 0;
    std::vector<std::uint32_t> used_features_;  ///< [columns] rising
    std::vector<std::int32_t> column_of_;  ///< [features] num_columns_: unused; empty when a table would be too large
    std::vector<CompiledTree> trees_;
    std::vector<CompleteNode> complete_nodes_;
    std::vector<float> complete_leaves_;
    std::vector<LinkedNode> linked_nodes_;
    std::vector<CategorySet> category_sets_;
    std::vector<float> leaf_vectors_;
    std::optional<PlaneProgram> planes_;
};

}  // namespace espalier::model
