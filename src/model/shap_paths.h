// A tree laid out for kernels/shap_walk.h: its nodes in the order of the walk, with the constants of each.
// Internal to model/. Immutable once built; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/shap_walk.h"
#include "model/category_set.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

/// Gauss-Legendre points on [0, 1]: exact for polynomials up to degree 2 n - 1.
struct QuadratureRule {
    explicit QuadratureRule(std::size_t num_points);
    std::vector<double> points;
    std::vector<double> weights;
    std::vector<double> outside;  ///< -1 / (1 - t)
};

struct ShapSplit {
    std::uint32_t slot;
    float condition;
    bool default_left;
    bool categorical;
    CategorySet set;
};

class ShapPaths {
  public:
    /// Of the tree's values for one output (0 unless it has leaf vectors), times `weight`. slots [features used,
    /// rising] gives a feature its slot.
    ShapPaths(const Tree& tree, std::size_t output, double weight, std::span<const std::uint32_t> slots);

    /// went_right [splits] for eight rows: values [8 x columns] dense by slot, missing = NaN.
    void Decide(const float* values, std::size_t columns, std::uint8_t* went_right) const;

    kernels::ShapTree View(const QuadratureRule& rule) const;
    double mean() const { return mean_; }
    std::size_t depth() const { return depth_; }
    std::size_t num_splits() const { return splits_.size(); }
    std::span<const kernels::ShapEdge> edges() const { return edges_; }
    std::span<const std::int32_t> events() const { return events_; }
    /// Of an edge: the share of the rows that follow all splits on its feature from the root to here.
    double share_of_feature(std::int32_t edge) const { return shares_[static_cast<std::size_t>(edge)]; }
    /// How many points its paths need.
    std::size_t num_points() const { return num_points_; }
    /// Before the first View.
    void SetConstants(const QuadratureRule& rule);

  private:
    std::vector<kernels::ShapEdge> edges_;
    std::vector<std::int32_t> events_;
    std::vector<double> shares_;
    std::vector<double> constants_;
    std::vector<ShapSplit> splits_;
    double mean_ = 0;
    std::size_t depth_ = 0;
    std::size_t num_points_ = 1;
};

}  // namespace espalier::model
