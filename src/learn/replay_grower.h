// A grower that grows nothing: the trees of a round are those of the same round of a given model, and their rows are
// sent to the leaves by their values. What process_type update is made of.
// Source: xgboost gbm/gbtree.cc (InitNewTrees). Confined to the trainer's thread.
#pragma once

#include <memory>

#include "learn/tree_grower.h"

namespace espalier::learn {

/// `input.replayed` has the rounds that Grow is asked for (start_values.h checks it).
std::unique_ptr<TreeGrower> MakeReplayGrower(const GrowerInput& input);

}  // namespace espalier::learn
