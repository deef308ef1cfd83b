// A model from a path: a bare model file, or a model.tar.gz with one inside. Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/model_file.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

struct OpenedModel {
    TreeEnsemble ensemble;
    ModelFormat format = ModelFormat::kJson;
    std::string member;            ///< name inside the archive; empty for a bare file
    std::uint64_t size_bytes = 0;  ///< of the model itself, unpacked
};

/// No model file may be larger.
inline constexpr std::uint64_t kModelFileBytesMax = std::uint64_t{4} << 30;

/// Of an archive the member `xgboost-model` is read, else the only one at its top level whose name does not begin with
/// ".": the rule of endpoints (hosting/loaded_model.h).
/// kNotFound, kIo, kResourceLimit (over kModelFileBytesMax), and what ReadTarGz and ReadModel say, with the path.
Result<OpenedModel> OpenModel(const std::string& path);

}  // namespace espalier::model
