// Why a model predicts what it predicts: contributions of the features to a row's margin, and of pairs of features.
//
// Path-dependent TreeSHAP, as stock XGBoost's pred_contribs and pred_interactions (equal within 1e-5): sum_hessian says
// how rows are shared. gblinear: weight times value. Contributions of a row and its last column, what the model gives
// on average, sum up to the row's margin. Limits: trees up to kExplainedDepthMax deep. Source: contracts/xgboost.md 6
// (xgboost/src/predictor/); kernels/shap_walk.h. Immutable after Create and thread-safe.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "data/feature_rows.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

/// The walk keeps a line of numbers for each level of a tree.
inline constexpr std::size_t kExplainedDepthMax = 512;

class Explainer {
  public:
    /// The ensemble must satisfy CheckEnsemble and outlive the explainer. kInvalidArgument for trees that are too deep.
    static Result<std::shared_ptr<const Explainer>> Create(const TreeEnsemble& ensemble);
    virtual ~Explainer() = default;

    /// Values that a row has in Contributions: groups x (num_feature + 1).
    virtual std::size_t contributions_per_row() const = 0;

    /// [rows x groups x (num_feature + 1)] f32; the last of each group is the mean margin.
    virtual void Contributions(const data::FeatureRows& rows, std::span<float> contributions) const = 0;

    /// [rows x groups x (num_feature + 1) x (num_feature + 1)] f32, symmetric; a row of it sums up to a contribution.
    virtual void Interactions(const data::FeatureRows& rows, std::span<float> interactions) const = 0;
};

}  // namespace espalier::model
