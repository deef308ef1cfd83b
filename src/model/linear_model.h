// gblinear's part of a prediction: bias and weights. Immutable and thread-safe.
// Source: contracts/xgboost.md 4.7 (xgboost/src/gbm/gblinear.cc).
#pragma once

#include <span>
#include <vector>

#include "data/feature_rows.h"

namespace espalier::model {

class LinearModel {
  public:
    /// weights [(features + 1) x groups], feature-major, the bias last, as TreeEnsemble has them. Borrowed.
    LinearModel(std::span<const float> weights, std::size_t num_groups) : weights_(weights), num_groups_(num_groups) {}

    /// Adds to margins [rows x groups]: the bias first, then value * weight in the order of the features, in float. A
    /// missing value and a feature the model does not know add nothing.
    void AddWeights(const data::FeatureRows& rows, std::span<float> margins) const {
        std::size_t bias = weights_.size() - num_groups_;
        for (std::size_t row = 0; row < rows.num_rows(); ++row) {
            std::span<float> sums = margins.subspan(row * num_groups_, num_groups_);
            for (std::size_t group = 0; group < num_groups_; ++group) sums[group] += weights_[bias + group];
            for (std::uint64_t e = rows.row_offsets[row]; e < rows.row_offsets[row + 1]; ++e) {
                std::size_t first = rows.feature_idx[e] * num_groups_;
                float value = rows.values[e];
                if (first >= bias || value != value) continue;
                for (std::size_t group = 0; group < num_groups_; ++group)
                    sums[group] += value * weights_[first + group];
            }
        }
    }

    /// The same for dense rows [margins / groups x num_values].
    void AddDenseWeights(std::span<const float> values, std::size_t num_values, std::span<float> margins) const {
        std::size_t bias = weights_.size() - num_groups_;
        for (std::size_t row = 0; row < margins.size() / num_groups_; ++row) {
            std::span<float> sums = margins.subspan(row * num_groups_, num_groups_);
            for (std::size_t group = 0; group < num_groups_; ++group) sums[group] += weights_[bias + group];
            for (std::size_t feature = 0; feature < num_values && feature * num_groups_ < bias; ++feature) {
                float value = values[row * num_values + feature];
                if (value != value) continue;
                for (std::size_t group = 0; group < num_groups_; ++group)
                    sums[group] += value * weights_[feature * num_groups_ + group];
            }
        }
    }

  private:
    std::span<const float> weights_;
    std::size_t num_groups_;
};

}  // namespace espalier::model
