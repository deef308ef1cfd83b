// Model files to and from a TreeEnsemble: XGBoost's JSON (1.0 to 3.x) and UBJSON (1.6 to 3.x) are read and written, its
// old binary format, pickled Boosters, LightGBM's text and ONNX tree ensembles are read.
//
// Reading accepts every variant of the schema since 1.0 (scalar and list base_score, boolean default_left, files
// without iteration_indptr or split_type). Writing gives the schema of 3.2, byte for byte what stock xgboost 3.2 writes
// (tests/parity/test_predict.py), or that of 1.7. Source: contracts/xgboost.md 5 (xgboost/doc/model.schema).
// Limits: document_cursor.h, kClassesMax, kModelNamesMax; memory stays within four times the file.
// Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

/// Each row's margins are kept for all classes at once; a file may not ask for more of them.
inline constexpr int kClassesMax = 100'000;

/// Feature names, types and attributes take up to a hundred bytes each, however short they are in the file.
inline constexpr std::size_t kModelNamesMax = std::size_t{1} << 20;

enum class ModelFormat { kJson, kUbjson, kOldBinary, kPickle, kLightgbm, kOnnx };

/// "XGBoost JSON", "LightGBM text", …
std::string_view ToString(ModelFormat format);

/// The format is told by the first bytes. The trees are checked (CheckEnsemble).
/// kCorruptData with what is wrong and where; kInvalidArgument, naming it, for what is sound but not supported, such as
/// unknown objectives.
Result<TreeEnsemble> ReadModel(std::string_view bytes);

/// The format of a file by its first bytes; kCorruptData when it is none.
Result<ModelFormat> DetectModelFormat(std::string_view bytes);

/// The file's bytes in kJson or kUbjson, as stock 3.2 writes them. The ensemble must satisfy CheckEnsemble.
std::string WriteModel(const TreeEnsemble& ensemble, ModelFormat format);

/// The same model in the schema of 1.7, which every release since then loads and predicts with identically: one
/// intercept for all groups (different ones move into the leaves of the first trees, bit for bit), no members that came
/// later. kInvalidArgument names what 1.7 cannot hold.
Result<std::string> WriteOldModel(const TreeEnsemble& ensemble, ModelFormat format);

}  // namespace espalier::model
