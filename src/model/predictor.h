// A forest compiled for prediction. Immutable after Create and thread-safe: many requests share one predictor.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "data/feature_rows.h"
#include "model/explainer.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

class Predictor {
  public:
    /// kCorruptData when the trees are not trees (child out of range, a cycle, a node with two parents),
    /// kInvalidArgument when the objective is not one this build can apply.
    static Result<std::shared_ptr<const Predictor>> Create(TreeEnsemble ensemble);
    virtual ~Predictor() = default;

    virtual const TreeEnsemble& ensemble() const = 0;

    /// margins [rows x groups] f32 row-major: base margin plus leaves, summed in tree order in float as XGBoost does.
    /// Rows may have fewer or more features than the model; a feature the model does not know is ignored.
    virtual void PredictMargins(const data::FeatureRows& rows, std::span<float> margins) const = 0;

    /// The same for dense rows: values [rows x num_values] f32 row-major of features 0 to num_values - 1, missing =
    /// NaN.
    virtual void PredictDenseMargins(std::span<const float> values, std::size_t num_values,
                                     std::span<float> margins) const = 0;

    /// What stock Booster.predict returns: [rows] for multi:softmax (the class as a float), else [rows x groups].
    virtual std::vector<float> Predict(const data::FeatureRows& rows) const = 0;

    /// Predict into a vector that is reused: nothing is allocated once it has held its largest result.
    virtual void PredictInto(const data::FeatureRows& rows, std::vector<float>& outputs) const = 0;

    /// The objective's link applied in place to margins [rows x groups]: probabilities for logistic and multi:* (also
    /// multi:softmax, whose Predict gives classes), e^margin for counts and rates, 0 or 1 for hinge.
    virtual void MarginsToProbabilities(std::span<float> margins) const = 0;

    /// The node that each tree sends each row to: leaves [rows x trees] as floats, as stock's pred_leaf. No hot path.
    virtual void PredictLeaves(const data::FeatureRows& rows, std::span<float> leaves) const = 0;

    /// Made at the first call and kept. What Explainer::Create says.
    virtual Result<std::shared_ptr<const Explainer>> Explain() const = 0;

    /// Number of values a row has in Predict: 1 for multi:softmax, else the groups.
    virtual std::size_t outputs_per_row() const = 0;

    /// What the trees take in memory, as they came and compiled; without the explainer.
    virtual std::size_t memory_bytes() const = 0;
};

}  // namespace espalier::model
