// What the readers of several formats do alike with an ensemble they are filling.
// Internal to model/. Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/document_cursor.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

/// num_class and num_target as a file has them (0 and 1 say the same), for the objective that is already set. The
/// objective must be known; kInvalidArgument names it otherwise.
Result<void> SetOutputs(TreeEnsemble& ensemble, std::int64_t num_class, std::int64_t num_target);

/// iteration_indptr for files without it: every round has num_parallel_tree trees of each group, or of all at once.
Result<void> MakeIterationIndptr(TreeEnsemble& ensemble);

/// The intercept in the scale of the objective's output, from one in the scale of margins (files before 1.0).
float ScoreOfMargin(std::string_view objective, float margin);

/// A document's object whose values are strings; others are left out. Adds to `strings`, kModelNamesMax at most.
Result<void> ReadStrings(DocumentCursor& document, std::map<std::string, std::string>& strings);

}  // namespace espalier::model
