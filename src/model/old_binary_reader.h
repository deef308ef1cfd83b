// XGBoost's old binary format: what save_model wrote up to 2.x, in files and inside pickles.
//
// Structures of C++ as they lay in memory, little-endian, with spare fields; no marks between them, so a wrong length
// shows only in what follows. Releases before 1.0 differ in what the intercept means and in their objectives' own
// parameters. Source: contracts/xgboost.md 5.3 (xgboost 0.72 … 1.7 src/learner.cc, gbm/, tree/); compared with files of
// 0.72, 0.90, 1.0 and 1.7 by tests/parity/test_imports.py. Thread-safe: pure functions.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

/// Whether the bytes begin as such a file does: with "binf", or with 136 bytes of parameters and two names.
bool LooksLikeOldBinary(std::string_view bytes);

/// kCorruptData with the byte offset; kInvalidArgument for trees with several roots or leaf vectors, and for objectives
/// and boosters that are not known. The ensemble is whole, but not yet checked (CheckEnsemble).
Result<TreeEnsemble> ReadOldBinary(std::string_view bytes);

}  // namespace espalier::model
