// A model ready to predict, out of a model.tar.gz.
//
// The archive's model file is "xgboost-model" at its top level, or the only regular file there whose name does not
// start with a dot. Any format that the model module reads will do. Immutable and thread-safe once loaded.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/archive.h"
#include "base/result.h"
#include "model/predictor.h"

namespace espalier::hosting {

/// What training jobs and the images' own code call the file.
inline constexpr std::string_view kModelFileName = "xgboost-model";

struct LoadedModel {
    std::shared_ptr<const model::Predictor> predictor;
    std::string member;  ///< the archive's member it was read from
};

/// kCorruptData, kInvalidArgument or kResourceLimit with a sentence that names what is wrong: the archive, its lack of
/// a model file, or the member and why it is no model.
Result<std::shared_ptr<const LoadedModel>> LoadModel(std::span<const char> archive);

}  // namespace espalier::hosting
