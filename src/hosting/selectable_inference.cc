#include "hosting/selectable_inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace espalier::hosting {
namespace {

constexpr std::array<std::string_view, 6> kRegression = {"reg:squarederror", "reg:linear",        "reg:logistic",
                                                         "reg:gamma",        "reg:absoluteerror", "reg:tweedie"};
constexpr std::array<std::string_view, 5> kClassification = {"binary:logistic", "binary:logitraw", "binary:hinge",
                                                             "multi:softmax", "multi:softprob"};

template <typename Names>
bool IsIn(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool HasKey(std::string_view objective, std::string_view key) {
    if (IsIn(kRegression, objective)) return key == "predicted_score";
    if (key == "predicted_label" || key == "labels" || key == "raw_score" || key == "raw_scores") return true;
    bool probabilities = objective == "binary:logistic" || objective == "multi:softprob";
    return probabilities && (key == "probability" || key == "probabilities");
}

ReplyField PredictedLabel(std::string_view objective, std::span<const float> prediction) {
    ReplyField field{"predicted_label", {prediction[0]}, false, true};
    if (objective == "binary:logistic") field.values[0] = prediction[0] > 0.5F ? 1 : 0;
    if (objective == "binary:logitraw") field.values[0] = prediction[0] > 0 ? 1 : 0;
    if (objective == "multi:softprob") {
        auto largest = std::max_element(prediction.begin(), prediction.end());
        field.values[0] = static_cast<float>(largest - prediction.begin());
    }
    field.whole = objective != "binary:hinge" && objective != "multi:softmax";
    return field;
}

}  // namespace

std::vector<std::string> ParseSelectedKeys(std::string_view text) {
    std::vector<std::string> keys(1);
    for (char c : text) {
        if (c == ',') {
            keys.emplace_back();
        } else if (c != ' ') {
            keys.back() += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    std::erase(keys, "");
    return keys;
}

Result<void> CheckSelectable(std::string_view objective) {
    if (IsIn(kRegression, objective) || IsIn(kClassification, objective)) return {};
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("Objective `{}` unsupported for selectable inference predictions.", objective));
}

std::vector<ReplyField> SelectFields(std::span<const std::string> keys, std::string_view objective,
                                     std::size_t num_class, std::span<const float> prediction) {
    std::vector<ReplyField> fields;
    for (const std::string& key : keys) {
        if (!HasKey(objective, key)) {
            fields.push_back({key, {std::numeric_limits<float>::quiet_NaN()}});
        } else if (key == "predicted_label") {
            fields.push_back(PredictedLabel(objective, prediction));
        } else if (key == "labels") {
            ReplyField labels{key, {}, true, true};
            for (std::size_t label = 0; label < std::max<std::size_t>(num_class, 2); ++label)
                labels.values.push_back(static_cast<float>(label));
            fields.push_back(std::move(labels));
        } else if (key == "probabilities" || key == "raw_scores") {
            // With one value a row the other class has the rest, softmax's included, as the container has it.
            std::vector<float> values(prediction.begin(), prediction.end());
            if (values.size() == 1) values = {1.0F - values[0], values[0]};
            fields.push_back({key, std::move(values), true});
        } else {
            fields.push_back({key, {*std::max_element(prediction.begin(), prediction.end())}});
        }
    }
    return fields;
}

}  // namespace espalier::hosting
