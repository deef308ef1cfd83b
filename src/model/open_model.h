// A model from a path: a bare model file, or a model.tar.gz with one inside. Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/archive.h"
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

/// What training jobs and the images' own code call the file.
inline constexpr std::string_view kModelFileName = "xgboost-model";

/// The member of a model.tar.gz that is the model, for endpoints and the command line alike: kModelFileName at the top
/// level, else the only regular file there whose name does not start with a dot. kCorruptData says what the archive
/// holds instead. The member is borrowed.
Result<const ArchiveMember*> FindModelMember(const std::vector<ArchiveMember>& members);

/// All models of an archive for an endpoint: kModelFileName alone, else every regular file at the top level whose name
/// does not start with a dot, by name, as k-fold training jobs leave them. kCorruptData when there is none.
Result<std::vector<const ArchiveMember*>> FindModelMembers(const std::vector<ArchiveMember>& members);

/// Of an archive FindModelMember's is read.
/// kNotFound, kIo, kResourceLimit (over kModelFileBytesMax), and what ReadTarGz and ReadModel say, with the path.
Result<OpenedModel> OpenModel(const std::string& path);

}  // namespace espalier::model
