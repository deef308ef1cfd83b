// LightGBM's text models, as trees in XGBoost's terms.
//
// `x <= t` on doubles becomes `x < s` on floats, with s the float after the last one that is not above t, so every
// float goes the same way. Leaves are rounded to float, so sums differ from LightGBM's by rounding (about 1e-7). A set
// of categories goes left there and right here: the children change places. sum_hessian holds the counts of rows, which
// are what LightGBM's own contributions weigh with. Objectives map to XGBoost's of the same link. What LightGBM reads
// as 0 because a libsvm file left it out is missing here; files with every value (CSV) mean the same. Source:
// contracts/xgboost.md 5.5 (LightGBM src/io/tree.cpp, gbdt_model_text.cpp); compared with LightGBM 4 by
// tests/parity/test_imports.py. Thread-safe: pure functions.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

bool LooksLikeLightgbm(std::string_view bytes);

/// kCorruptData naming line and key; kInvalidArgument for linear trees, zero_as_missing where it matters, and
/// objectives without a counterpart. The ensemble is whole, but not yet checked (CheckEnsemble).
Result<TreeEnsemble> ReadLightgbm(std::string_view bytes);

}  // namespace espalier::model
