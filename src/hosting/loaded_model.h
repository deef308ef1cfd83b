// A model ready to predict, out of a model.tar.gz.
//
// Which member is the model: model::FindModelMember. Any format that the model module reads will do. Immutable and
// thread-safe once loaded.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/archive.h"
#include "base/result.h"
#include "model/predictor.h"

namespace espalier::hosting {

struct LoadedModel {
    std::shared_ptr<const model::Predictor> predictor;
    std::string member;  ///< the archive's member it was read from
};

/// kCorruptData, kInvalidArgument or kResourceLimit with a sentence that names what is wrong: the archive, its lack of
/// a model file, or the member and why it is no model.
Result<std::shared_ptr<const LoadedModel>> LoadModel(std::span<const char> archive);

}  // namespace espalier::hosting
