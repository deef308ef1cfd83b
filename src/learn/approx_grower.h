// The grower of tree_method approx: cut points made anew for every tree, from values weighted by the hessians
// (xgboost tree/updater_approx.cc; contracts/xgboost.md 4.6).
//
// Each source of gradients gets cuts and a TreeGrower of its own in every round, and bins when its cuts are not those
// of the source before, so a round may cost about as much as loading. Weights are the integers that sums are made of,
// times the rows' weights, merged exactly over ranks, so the cuts do not depend on threads or ranks. Objectives with a
// constant hessian would get the same cuts every time: they take TreeGrower directly.
#pragma once

#include <memory>

#include "learn/tree_grower.h"

namespace espalier::learn {

/// Needs input.train_rows and input.eval_rows.
std::unique_ptr<TreeGrower> MakeApproxGrower(const GrowerInput& input);

}  // namespace espalier::learn
