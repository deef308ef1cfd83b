// The models ready to predict out of a model.tar.gz: one, or those of a k-fold training job.
//
// Which members are models: model::FindModelMembers. Any format that the model module reads will do. Immutable and
// thread-safe once loaded.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/archive.h"
#include "base/result.h"
#include "model/predictor.h"

namespace espalier::hosting {

struct LoadedModel {
    /// In the order of their names; at least one, with the same outputs a row.
    std::vector<std::shared_ptr<const model::Predictor>> predictors;
    /// The first of them came as a pickle: the images check the number of columns more strictly then.
    bool pickled = false;
    /// What it takes in memory: the predictors, and this much for everything around them.
    std::size_t memory_bytes = 4096;
};

/// kCorruptData, kInvalidArgument or kResourceLimit with a sentence that names what is wrong: the archive, its lack of
/// a model file, or the member and why it is no model.
Result<std::shared_ptr<const LoadedModel>> LoadModel(std::span<const char> archive);

}  // namespace espalier::hosting
