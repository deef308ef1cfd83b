// Files that appear complete or not at all: staging file, fsync, rename, fsync of the folder. Thread-safe for different
// paths.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/version_profile.h"
#include "model/model_file.h"

namespace espalier::learn {

/// `staging` is a name in the same folder that nobody else writes; what an earlier attempt left there is overwritten.
Result<void> PublishFile(std::string_view bytes, const std::string& staging, const std::string& path);

/// Writes the model file at `path`; its staging file starts with a dot.
Result<void> PublishModel(const model::TreeEnsemble& ensemble, model::ModelFormat format, const std::string& path);

/// The same for a job's model, in UBJSON that this release of xgboost reads; a model that it cannot hold (gone on with
/// from a newer one) as 3.2 writes it.
Result<void> PublishModel(const model::TreeEnsemble& ensemble, ModelRelease release, const std::string& path);

}  // namespace espalier::learn
