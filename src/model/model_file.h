// Model files: XGBoost's JSON (1.0 to 3.x) and UBJSON (1.6 to 3.x) to and from a TreeEnsemble.
//
// Reading accepts every variant of the schema since 1.0 (scalar and list base_score, boolean default_left, files
// without iteration_indptr or split_type). Writing gives the schema of 3.2, which stock xgboost 3.2 loads and predicts
// with identically (tests/parity/test_predict.py). Source: contracts/xgboost.md 5.1, 5.2 (xgboost/doc/model.schema).
// Limits: document_cursor.h, kClassesMax, kModelNamesMax. Thread-safe: pure functions.
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

enum class ModelFormat { kJson, kUbjson };

/// The format is told by the first bytes. The trees are checked (CheckEnsemble).
/// kCorruptData with what is wrong and where; kInvalidArgument, naming it, for what is sound but not supported: the
/// boosters gblinear and dart, vector leaves, categorical splits, unknown objectives, pickles, the old binary format.
Result<TreeEnsemble> ReadModel(std::string_view bytes);

/// The format of a file by its first bytes; kInvalidArgument or kCorruptData as for ReadModel.
Result<ModelFormat> DetectModelFormat(std::string_view bytes);

/// The file's bytes. The ensemble must satisfy CheckEnsemble.
std::string WriteModel(const TreeEnsemble& ensemble, ModelFormat format);

}  // namespace espalier::model
