// A tree while it grows: the model's tree, and what is known of each node until it is finished.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/split_scan.h"
#include "kernels/weight_bounds.h"
#include "learn/gradient_scale.h"
#include "learn/train_params.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

/// A split has to change the loss by more (kRtEps of xgboost).
inline constexpr float kLossChangeMin = 1e-6F;

struct GrowingNode {
    kernels::WidePair sum;  ///< in the units of GrowingTree::gain
    int depth = 0;
    float gain = 0;
    kernels::WeightBounds bounds;  ///< under monotone constraints
    kernels::SplitCandidate best;
    std::vector<std::uint32_t> right_categories;  ///< of a categorical `best`
    std::int32_t slot = -1;                       ///< where its histogram lies
};

struct GrowingTree {
    model::Tree tree;
    std::vector<GrowingNode> nodes;  ///< one per node of `tree`; a child has a higher number than its parent
    kernels::GainParams gain;

    /// A leaf below `parent` (model::kRootParent for the first).
    std::uint32_t AddNode(std::int32_t parent);
};

/// The gain's parameters, with sums in packed or in fine units of `scale`.
kernels::GainParams GainParamsOf(const TrainParams& params, const GroupScale& scale, bool packed);

/// TrainParams::monotone_constraints. Empty: no constraints; signs of features beyond are 0.
using MonotoneSigns = std::vector<std::int8_t>;

inline int SignOf(const MonotoneSigns& signs, std::size_t feature) {
    return feature < signs.size() ? signs[feature] : 0;
}

/// The gain of a node alone, as its parent's bounds leave it. No signs: the plain gain.
float GainOf(const kernels::GainParams& gain, const MonotoneSigns& signs, const kernels::WeightBounds& bounds,
             kernels::WidePair sum);

/// Gives `node` its split: two children with their sums, gains and bounds.
void AddChildren(GrowingTree& growing, std::uint32_t node, float threshold, const MonotoneSigns& signs);

/// Weights, leaf values and hessians of all nodes from their sums (in units of `gain`), top down.
void SetWeights(GrowingTree& growing, const kernels::GainParams& gain, const TrainParams& params);

/// Writes the sets of categorical splits into the tree, once its nodes have their numbers.
void SetCategories(GrowingTree& growing);

}  // namespace espalier::learn
