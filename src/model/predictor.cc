#include "model/predictor.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "model/category_set.h"
#include "model/forest.h"
#include "model/linear_model.h"
#include "model/links.h"
#include "model/memory_size.h"
#include "model/objective_table.h"

namespace espalier::model {
namespace {

// NaN: the row has no such feature.
float ValueOf(const data::FeatureRows& rows, std::size_t row, std::uint32_t feature) {
    auto begin = rows.feature_idx.begin() + static_cast<std::ptrdiff_t>(rows.row_offsets[row]);
    auto end = rows.feature_idx.begin() + static_cast<std::ptrdiff_t>(rows.row_offsets[row + 1]);
    auto found = std::lower_bound(begin, end, feature);
    if (found == end || *found != feature) return std::numeric_limits<float>::quiet_NaN();
    return rows.values[static_cast<std::size_t>(found - rows.feature_idx.begin())];
}

std::int32_t FindLeaf(const Tree& tree, const data::FeatureRows& rows, std::size_t row) {
    std::int32_t node = 0;
    while (!tree.is_leaf(static_cast<std::size_t>(node))) {
        auto at = static_cast<std::size_t>(node);
        float value = ValueOf(rows, row, static_cast<std::uint32_t>(tree.split_indices[at]));
        bool left = tree.default_left[at] != 0;
        if (value == value) {
            left = tree.is_categorical(at) ? !CategorySet(tree.CategoriesOf(at)).Contains(value)
                                           : value < tree.split_conditions[at];
        }
        node = left ? tree.left_children[at] : tree.right_children[at];
    }
    return node;
}

std::size_t MemoryBytes(const TreeEnsemble& ensemble) {
    std::size_t bytes = BytesOf(ensemble.trees, ensemble.tree_info, ensemble.iteration_indptr, ensemble.feature_names,
                                ensemble.weight_drop, ensemble.linear_weights);
    for (const std::string& name : ensemble.feature_names) bytes += name.capacity();
    for (const Tree& tree : ensemble.trees) {
        bytes += BytesOf(tree.left_children, tree.right_children, tree.parents, tree.split_indices,
                         tree.split_conditions, tree.default_left, tree.base_weights, tree.loss_changes,
                         tree.sum_hessian, tree.split_type, tree.categories, tree.categories_nodes,
                         tree.categories_segments, tree.categories_sizes, tree.leaf_weights);
    }
    return bytes;
}

class EnsemblePredictor final : public Predictor {
  public:
    EnsemblePredictor(TreeEnsemble ensemble, std::vector<float> base_margins)
        : ensemble_(std::move(ensemble)),
          base_margins_(std::move(base_margins)),
          link_(FindObjective(ensemble_.objective)->link),
          forest_(Forest::Compile(ensemble_)) {}

    const TreeEnsemble& ensemble() const override { return ensemble_; }

    void PredictMargins(const data::FeatureRows& rows, std::span<float> margins) const override {
        CHECK(margins.size() == rows.num_rows() * base_margins_.size(), "{} margins for {} rows of {} groups",
              margins.size(), rows.num_rows(), base_margins_.size());
        FillBase(margins);
        if (ensemble_.booster == Booster::kGblinear) {
            LinearModel(ensemble_.linear_weights, base_margins_.size()).AddWeights(rows, margins);
        } else {
            forest_.AddLeaves(rows, margins);
        }
    }

    void PredictDenseMargins(std::span<const float> values, std::size_t num_values,
                             std::span<float> margins) const override {
        CHECK(values.size() * base_margins_.size() == num_values * margins.size(),
              "{} margins for {} values in rows of {}", margins.size(), values.size(), num_values);
        FillBase(margins);
        if (ensemble_.booster == Booster::kGblinear) {
            LinearModel(ensemble_.linear_weights, base_margins_.size()).AddDenseWeights(values, num_values, margins);
        } else {
            forest_.AddLeavesDense(values, num_values, margins);
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

    void PredictLeaves(const data::FeatureRows& rows, std::span<float> leaves) const override {
        std::size_t num_trees = ensemble_.trees.size();
        for (std::size_t row = 0; row < rows.num_rows(); ++row) {
            for (std::size_t tree = 0; tree < num_trees; ++tree) {
                leaves[row * num_trees + tree] = static_cast<float>(FindLeaf(ensemble_.trees[tree], rows, row));
            }
        }
    }

    Result<std::shared_ptr<const Explainer>> Explain() const override {
        std::lock_guard lock(explainer_mutex_);
        if (explainer_ == nullptr) explainer_ = TRY(Explainer::Create(ensemble_));
        return explainer_;
    }

    std::size_t outputs_per_row() const override { return link_ == Link::kArgmax ? 1 : base_margins_.size(); }

    std::size_t memory_bytes() const override { return MemoryBytes(ensemble_) + forest_.memory_bytes(); }

  private:
    void FillBase(std::span<float> margins) const {
        for (std::size_t i = 0; i < margins.size(); i += base_margins_.size()) {
            std::copy(base_margins_.begin(), base_margins_.end(), margins.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }

    TreeEnsemble ensemble_;
    std::vector<float> base_margins_;  // [groups]
    Link link_;
    Forest forest_;
    mutable std::mutex explainer_mutex_;
    mutable std::shared_ptr<const Explainer> explainer_;  // points into ensemble_
};

}  // namespace

Result<std::shared_ptr<const Predictor>> Predictor::Create(TreeEnsemble ensemble) {
    TRY(CheckEnsemble(ensemble));
    std::vector<float> base_margins = TRY(BaseMargins(ensemble));
    return std::shared_ptr<const Predictor>(
        std::make_shared<EnsemblePredictor>(std::move(ensemble), std::move(base_margins)));
}

}  // namespace espalier::model
