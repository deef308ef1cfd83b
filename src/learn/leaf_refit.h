// Leaves set to a quantile of what is left to explain, for objectives whose gradients only say in which direction.
//
// The quantile is over the leaf's rows of all ranks that the tree was grown on. (Stock takes the mean of each worker's
// quantile, so its model depends on how many there are.) Source: xgboost objective/adaptive.cc.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "learn/objective.h"
#include "learn/tree_grower.h"

namespace espalier::learn {

/// Trees of one round as Grow gave them, rows.margins still without them. `weighted`: any rank's rows have weights.
/// A leaf without rows keeps its value. Every rank calls it.
Result<void> RefitLeaves(const Objective& objective, const TrainParams& params, const RowsView& rows, bool weighted,
                         const TreeGrower& grower, WorkerTeam& team, collective::Comm& comm,
                         std::vector<model::Tree>& trees);

}  // namespace espalier::learn
