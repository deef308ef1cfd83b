// A small sound model, the seed of both model fuzz entries, and what they check of a model that was read.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz_target.h"
#include "model/model_file.h"
#include "model/predictor.h"

namespace espalier::fuzz {

inline model::TreeEnsemble SampleModel() {
    model::TreeEnsemble sample;
    sample.objective = "multi:softprob";
    sample.num_class = 2;
    sample.num_feature = 4;
    sample.base_score = {0.25F, -0.5F};
    model::Tree tree;
    tree.left_children = {1, -1, 3, -1, -1};
    tree.right_children = {2, -1, 4, -1, -1};
    tree.parents = {model::kRootParent, 0, 0, 2, 2};
    tree.split_indices = {0, 0, 3, 0, 0};
    tree.split_conditions = {0.5F, 0.1F, -0.25F, 0.2F, -1e-20F};
    tree.default_left = {1, 0, 0, 0, 0};
    tree.base_weights = {0, 0.1F, 0.05F, 0.2F, 0.3F};
    tree.loss_changes = {10, 0, 5, 0, 0};
    tree.sum_hessian = {20, 10, 10, 5, 5};
    sample.trees = {tree, tree};
    sample.tree_info = {0, 1};
    sample.iteration_indptr = {0, 2};
    sample.attributes = {{"best_iteration", "0"}};
    sample.feature_names = {"a", "b", "c", "d"};
    sample.feature_types = {"float", "float", "float", "i"};
    return sample;
}

/// The seeds of a model format: the sample, and one with another objective.
inline std::vector<std::string> ModelSeeds(model::ModelFormat format) {
    model::TreeEnsemble logistic = SampleModel();
    logistic.objective = "binary:logistic";
    logistic.num_class = 0;
    logistic.base_score = {0.5F};
    logistic.tree_info = {0, 0};
    return {model::WriteModel(SampleModel(), format), model::WriteModel(logistic, format)};
}

/// A model that is read can be written, read back the same, and applied.
inline void CheckModelBytes(std::string_view bytes) {
    Result<model::TreeEnsemble> read = model::ReadModel(bytes);
    if (!read) {
        CHECK(!read.error().message().empty());
        return;
    }
    for (model::ModelFormat format : {model::ModelFormat::kJson, model::ModelFormat::kUbjson}) {
        std::string written = model::WriteModel(*read, format);
        Result<model::TreeEnsemble> again = model::ReadModel(written);
        CHECK(again.has_value(), "{}", again.error().ToString());
        CHECK(model::WriteModel(*again, format) == written);
    }
    Result<std::shared_ptr<const model::Predictor>> predictor = model::Predictor::Create(*std::move(read));
    CHECK(predictor.has_value(), "{}", predictor.error().ToString());
    data::FeatureRows rows;
    rows.row_offsets = {0, 0, 3};
    rows.feature_idx = {0, 3, 2147483645};
    rows.values = {0.25F, -1, 2};
    std::size_t groups = (*predictor)->ensemble().num_groups();
    std::vector<float> margins(2 * groups);
    (*predictor)->PredictMargins(rows, margins);
    CHECK((*predictor)->Predict(rows).size() == 2 * (*predictor)->outputs_per_row());
}

inline std::vector<std::string> ModelWords() {
    return {"[",
            "]",
            "{",
            "}",
            "\"",
            ",",
            "null",
            "true",
            "-1",
            "1e39",
            "NaN",
            "Infinity",
            "\\u0041",
            "\\ud800",
            "2147483647",
            "99999999999",
            "[$d#L",
            "[$U#L",
            "[#L",
            "Z",
            "T",
            "C",
            "SL",
            "gbtree",
            "learner",
            "split_type",
            "size_leaf_vector",
            "iteration_indptr",
            "binary:logistic",
            "reg:linear",
            "dart"};
}

}  // namespace espalier::fuzz
