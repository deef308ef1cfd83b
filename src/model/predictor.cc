#include "model/predictor.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "model/forest.h"
#include "model/linear_model.h"
#include "model/links.h"
#include "model/objective_table.h"

namespace espalier::model {
namespace {

class EnsemblePredictor final : public Predictor {
  public:
    EnsemblePredictor(TreeEnsemble ensemble, std::vector<float> base_margins)
        : ensemble_(std::move(ensemble)),
          base_margins_(std::move(base_margins)),
          link_(FindObjective(ensemble_.objective)->link),
          forest_(Forest::Compile(ensemble_)) {}

    const TreeEnsemble& ensemble() const override { return ensemble_; }

    void PredictMargins(const data::FeatureRows& rows, std::span<float> margins) const override {
        std::size_t groups = base_margins_.size();
        CHECK(margins.size() == rows.num_rows() * groups, "{} margins for {} rows of {} groups", margins.size(),
              rows.num_rows(), groups);
        for (std::size_t i = 0; i < margins.size(); i += groups) {
            std::copy(base_margins_.begin(), base_margins_.end(), margins.begin() + static_cast<std::ptrdiff_t>(i));
        }
        if (ensemble_.booster == Booster::kGblinear) {
            LinearModel(ensemble_.linear_weights, groups).AddWeights(rows, margins);
        } else {
            forest_.AddLeaves(rows, margins);
        }
    }

    std::vector<float> Predict(const data::FeatureRows& rows) const override {
        std::vector<float> outputs;
        PredictInto(rows, outputs);
        return outputs;
    }

    void PredictInto(const data::FeatureRows& rows, std::vector<float>& outputs) const override {
        std::size_t groups = base_margins_.size();
        outputs.resize(rows.num_rows() * groups);
        PredictMargins(rows, outputs);
        if (link_ != Link::kArgmax) return MarginsToProbabilities(outputs);
        // The write of a row's class stays at or before the row's margins.
        for (std::size_t row = 0; row < rows.num_rows(); ++row) {
            outputs[row] = static_cast<float>(ArgMax(std::span<const float>(outputs).subspan(row * groups, groups)));
        }
        outputs.resize(rows.num_rows());
    }

    void MarginsToProbabilities(std::span<float> margins) const override {
        std::size_t groups = base_margins_.size();
        switch (link_) {
            case Link::kIdentity:
                return;
            case Link::kSigmoid:
                for (float& margin : margins) margin = Sigmoid(margin);
                return;
            case Link::kExp:
                for (float& margin : margins) margin = kernels::Exp(margin);
                return;
            case Link::kHinge:
                for (float& margin : margins) margin = margin > 0 ? 1.0F : 0.0F;
                return;
            case Link::kArgmax:
            case Link::kSoftmax:
                for (std::size_t i = 0; i < margins.size(); i += groups) Softmax(margins.subspan(i, groups));
                return;
        }
    }

    std::size_t outputs_per_row() const override { return link_ == Link::kArgmax ? 1 : base_margins_.size(); }

  private:
    TreeEnsemble ensemble_;
    std::vector<float> base_margins_;  // [groups]
    Link link_;
    Forest forest_;
};

}  // namespace

Result<std::shared_ptr<const Predictor>> Predictor::Create(TreeEnsemble ensemble) {
    TRY(CheckEnsemble(ensemble));
    std::vector<float> base_margins = TRY(BaseMargins(ensemble));
    return std::shared_ptr<const Predictor>(
        std::make_shared<EnsemblePredictor>(std::move(ensemble), std::move(base_margins)));
}

}  // namespace espalier::model
