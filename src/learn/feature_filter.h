// Which features a node may split on: what the column samples of its tree, level and node leave, and what the features
// on its path may meet (interaction constraints).
//
// Interaction constraints (xgboost tree/constraints.cc): a root may use every feature; below a split, a node may use
// the features on its path and those of every listed set that holds all of them. So a feature in no set meets only
// itself. Thread-compatible.
#pragma once

#include <cstdint>
#include <vector>

#include "learn/column_sampler.h"
#include "learn/train_params.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

class FeatureFilter {
  public:
    FeatureFilter(const TrainParams& params, std::size_t num_features);

    /// False: every node may split on every feature, and masks need not be asked for.
    bool filters() const { return sampler_.samples() || !constraints_.empty(); }

    /// [features] 1 where node `node` of `tree`, number `tree_idx` of the iteration, may split on the feature.
    std::vector<std::uint8_t> MaskOf(std::uint64_t iteration, std::uint64_t tree_idx, const model::Tree& tree,
                                     std::size_t node, int depth) const;

  private:
    void KeepWhatMayMeet(const model::Tree& tree, std::size_t node, std::vector<std::uint8_t>& mask) const;

    const ColumnSampler sampler_;
    std::vector<std::vector<std::uint8_t>> constraints_;  ///< [sets][features]
};

}  // namespace espalier::learn
