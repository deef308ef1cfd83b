#include "model/row_outputs.h"

#include <fmt/format.h>

#include <array>

#include "model/explainer.h"
#include "model/links.h"
#include "model/objective_table.h"

namespace espalier::model {
namespace {

constexpr std::array<std::pair<std::string_view, Output>, 6> kNames = {{{"label", Output::kLabel},
                                                                        {"probability", Output::kProbability},
                                                                        {"margin", Output::kMargin},
                                                                        {"leaf", Output::kLeaf},
                                                                        {"contributions", Output::kContributions},
                                                                        {"interactions", Output::kInteractions}}};

Error Refuse(std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Result<Output> FindOutput(std::string_view name) {
    if (name.empty()) return Output::kStock;
    for (const auto& [known, output] : kNames) {
        if (known == name) return output;
    }
    return Refuse(fmt::format("the output '{}' is not known; there are {}", name, fmt::join(OutputNames(), ", ")));
}

Result<std::size_t> ValuesPerRow(const Predictor& predictor, Output output) {
    const TreeEnsemble& ensemble = predictor.ensemble();
    Link link = FindObjective(ensemble.objective)->link;
    bool multi = link == Link::kArgmax || link == Link::kSoftmax;
    bool binary = ensemble.objective.starts_with("binary:") || ensemble.objective == "reg:logistic";
    switch (output) {
        case Output::kStock:
            return predictor.outputs_per_row();
        case Output::kMargin:
            return ensemble.num_groups();
        case Output::kLabel:
            if (multi || binary) return multi ? std::size_t{1} : ensemble.num_groups();
            return Refuse(
                fmt::format("label: {} predicts numbers, not classes; ask for no output in particular to get them",
                            ensemble.objective));
        case Output::kProbability:
            if (multi || link == Link::kSigmoid) return ensemble.num_groups();
            return Refuse(
                fmt::format("probability: {} gives no probabilities; ask for margin, or for no output in "
                            "particular to get its prediction",
                            ensemble.objective));
        case Output::kLeaf:
            if (ensemble.booster != Booster::kGblinear) return ensemble.trees.size();
            return Refuse("leaf: a gblinear model has no trees; ask for contributions");
        case Output::kContributions:
            return ensemble.num_groups() * (std::size_t{ensemble.num_feature} + 1);
        case Output::kInteractions:
            break;
    }
    std::size_t width = std::size_t{ensemble.num_feature} + 1;
    if (width > kOutputValuesMax / width / ensemble.num_groups()) {
        return Refuse(fmt::format("interactions: {} features have too many pairs; ask for contributions", width - 1));
    }
    return ensemble.num_groups() * width * width;
}

}  // namespace

std::vector<std::string_view> OutputNames() {
    std::vector<std::string_view> names;
    for (const auto& [name, output] : kNames) names.push_back(name);
    return names;
}

Result<RowOutputs> RowOutputs::Create(std::shared_ptr<const Predictor> predictor, std::string_view name) {
    Output output = TRY(FindOutput(name));
    std::size_t per_row = TRY(ValuesPerRow(*predictor, output));
    return RowOutputs(std::move(predictor), output, per_row);
}

void RowOutputs::Labels(std::vector<float>& values) const {
    std::size_t groups = predictor_->ensemble().num_groups();
    if (per_row_ == groups) {
        // A margin above 0 is a probability above one half.
        for (float& value : values) value = value > 0 ? 1.0F : 0.0F;
        return;
    }
    std::size_t num_rows = values.size() / groups;
    for (std::size_t row = 0; row < num_rows; ++row) {
        values[row] = static_cast<float>(ArgMax(std::span<const float>(values).subspan(row * groups, groups)));
    }
    values.resize(num_rows);
}

Result<void> RowOutputs::Compute(const data::FeatureRows& rows, std::vector<float>& values) const {
    if (output_ == Output::kStock) {
        predictor_->PredictInto(rows, values);
        return {};
    }
    if (rows.num_rows() > kOutputValuesMax / std::max<std::size_t>(per_row_, 1)) {
        return Error(
            ErrorCode::kResourceLimit,
            fmt::format("{} rows of {} values are more than are given at once; send fewer", rows.num_rows(), per_row_));
    }
    bool from_margins = output_ == Output::kMargin || output_ == Output::kLabel || output_ == Output::kProbability;
    values.resize(rows.num_rows() * (from_margins ? predictor_->ensemble().num_groups() : per_row_));
    if (from_margins) {
        predictor_->PredictMargins(rows, values);
        if (output_ == Output::kLabel) Labels(values);
        if (output_ == Output::kProbability) predictor_->MarginsToProbabilities(values);
        return {};
    }
    if (output_ == Output::kLeaf) {
        predictor_->PredictLeaves(rows, values);
        return {};
    }
    std::shared_ptr<const Explainer> explainer = TRY(predictor_->Explain());
    if (output_ == Output::kContributions) {
        explainer->Contributions(rows, values);
    } else {
        explainer->Interactions(rows, values);
    }
    return {};
}

}  // namespace espalier::model
