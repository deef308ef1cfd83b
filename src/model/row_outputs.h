// What a model can be asked for, row by row, under the names that the command line and requests use.
//
// Names: "label" the class; "probability" of class 1, or of every class; "margin" the sum of trees; "leaf" the node
// each tree ends in; "contributions" and "interactions" (explainer.h); "" what stock Booster.predict returns. Immutable
// after Create and thread-safe.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/predictor.h"

namespace espalier::model {

enum class Output { kStock, kLabel, kProbability, kMargin, kLeaf, kContributions, kInteractions };

/// All names but "".
std::vector<std::string_view> OutputNames();

class RowOutputs {
  public:
    /// kInvalidArgument, with what to ask for instead, when the name is none or the model has no such output.
    static Result<RowOutputs> Create(std::shared_ptr<const Predictor> predictor, std::string_view name);

    Output output() const { return output_; }
    std::size_t per_row() const { return per_row_; }

    /// values [rows x per_row] f32, replaced. kResourceLimit when they are more than kOutputValuesMax.
    Result<void> Compute(const data::FeatureRows& rows, std::vector<float>& values) const;

  private:
    RowOutputs(std::shared_ptr<const Predictor> predictor, Output output, std::size_t per_row)
        : predictor_(std::move(predictor)), output_(output), per_row_(per_row) {}
    void Labels(std::vector<float>& values) const;

    std::shared_ptr<const Predictor> predictor_;
    Output output_;
    std::size_t per_row_;
};

/// 1 GB; the interactions of one row with 16,000 features.
inline constexpr std::size_t kOutputValuesMax = std::size_t{1} << 28;

}  // namespace espalier::model
