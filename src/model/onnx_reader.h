// ONNX graphs that are one ensemble of trees: TreeEnsembleRegressor and TreeEnsembleClassifier of ai.onnx.ml.
//
// Read by hand from protobuf's wire format (base/protobuf.h). Around the ensemble only nodes that leave its numbers
// alone may stand (Cast, Identity, ZipMap, …); anything else, a scaler for example, is refused by its name. A regressor
// becomes reg:squarederror or reg:logistic, a classifier binary:logistic or multi:softprob by its post_transform; one
// without (a random forest, whose leaves hold probabilities) becomes a regression with a target for each class.
// A leaf with several weights becomes a vector leaf. base_values go into base_score, or into the leaves of the first
// tree where base_score is no margin. Source: contracts/xgboost.md 5.5 (onnx/onnx docs/Operators-ml.md, onnx.proto);
// compared with onnxruntime's answers by tests/parity/test_imports.py. Thread-safe: pure functions.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

bool LooksLikeOnnx(std::string_view bytes);

/// kCorruptData naming the attribute; kInvalidArgument for graphs with other nodes and modes without a counterpart
/// (BRANCH_EQ, BRANCH_NEQ, aggregation by MIN or MAX). The ensemble is whole, but not yet checked (CheckEnsemble).
Result<TreeEnsemble> ReadOnnx(std::string_view bytes);

}  // namespace espalier::model
