// Boosters that Python pickled: the model files of the images up to 1.2.
//
// A pickle is a program for a stack machine that may call any function of Python. Nothing is called here: of its
// operations those are known that a Booster's pickle is made of (protocols 0 to 5, Python 2 and 3), of its names those
// of the Booster, of bytearray, and of what copies objects; anything else is refused with its name. What comes out is
// the dictionary of the object: the booster's bytes in the old binary format or as UBJSON, feature names, and
// best_ntree_limit, which the images predict with, so later trees are left out.
// Source: contracts/xgboost.md 5.4 (Python's pickletools). Thread-safe: pure functions.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

bool LooksLikePickle(std::string_view bytes);

/// kCorruptData with the byte offset; kInvalidArgument for operations and names that are not known, and as
/// ReadOldBinary and ReadDocument say. The ensemble is whole, but not yet checked (CheckEnsemble).
Result<TreeEnsemble> ReadPickle(std::string_view bytes);

}  // namespace espalier::model
