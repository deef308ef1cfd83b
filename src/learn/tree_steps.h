// What is done to the trees of a round once they are there: their statistics are taken anew, and splits that do not pay
// are taken back (updaters refresh and prune).
//
// Refreshing looks at all rows, also at those a tree was not grown on. It gives every node its hessian and weight, a
// split the loss it changes, and a leaf, if asked to, eta times its weight. Pruning is tree_pruner.h's.
// The same on every rank. Source: xgboost tree/updater_refresh.cc, gbm/gbtree.cc (BoostNewTrees).
// Pinned by tests/parity/test_update_process.py.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "learn/gradient_scale.h"
#include "learn/train_params.h"
#include "learn/tree_grower.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

struct TreeStepsInput {
    const TrainParams& params;
    std::span<const float> grad;         ///< [groups x rows]
    std::span<const float> hess;         ///< [groups x rows]
    std::span<const GroupScale> scales;  ///< [groups]
    TreeGrower& grower;                  ///< knows the rows of the leaves, and learns where they go
    WorkerTeam& team;
    collective::Comm& comm;
};

/// Does params.tree_steps, one after the other, to the trees that the grower's last Grow gave.
Result<void> RunTreeSteps(const TreeStepsInput& input, std::vector<model::Tree>& trees);

}  // namespace espalier::learn
