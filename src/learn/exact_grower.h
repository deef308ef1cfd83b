// The grower of tree_method exact for data with many distinct values; see exact_grower.cc.
#pragma once

#include <memory>

#include "learn/tree_grower.h"

namespace espalier::learn {

/// Needs input.train_rows and input.eval_rows; one rank only.
std::unique_ptr<TreeGrower> MakeExactGrower(const GrowerInput& input);

}  // namespace espalier::learn
