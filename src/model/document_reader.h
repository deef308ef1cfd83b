// XGBoost's model document, whichever of JSON and UBJSON it is written in.
// Source: contracts/xgboost.md 5.1, 5.2 (xgboost/doc/model.schema). Thread-safe: pure functions.
#pragma once

#include <memory>

#include "base/result.h"
#include "model/document_cursor.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

/// kCorruptData with the place; kInvalidArgument for boosters and objectives that are not known. The ensemble is whole,
/// but not yet checked (CheckEnsemble).
Result<TreeEnsemble> ReadDocument(std::unique_ptr<DocumentCursor> cursor);

}  // namespace espalier::model
