// Pruning after growth: splits that turned out not to pay are taken back, bottom up (xgboost tree/updater_prune.cc).
//
// In the order of node numbers, a leaf whose sibling is a leaf too is taken back when their parent's loss change is
// below gamma or the leaf lies deeper than max_depth; then the parent is tried. Nodes taken back are not kept in the
// arrays, as xgboost does: the rest is numbered anew in the same order. Pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "learn/train_params.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

inline constexpr std::uint32_t kNoLeaf = std::numeric_limits<std::uint32_t>::max();

/// Prunes `tree`; a node that becomes a leaf gets eta times its base weight as its value. Returns for each former leaf
/// the number of the leaf its rows are in now, for other nodes kNoLeaf.
std::vector<std::uint32_t> PruneTree(model::Tree& tree, const TrainParams& params);

}  // namespace espalier::learn
