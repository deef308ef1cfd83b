// The values that a model's SAGEMAKER_INFERENCE_OUTPUT selects for each row, for images from 1.0 on.
//
// Keys: predicted_label, labels, probability, probabilities, raw_score, raw_scores, predicted_score. A key that the
// objective does not have, or that is none, gives NaN. Source: contracts/xgboost.md 6.6 (serve_utils.py of
// aws/sagemaker-xgboost-container). Thread-safe: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hosting/reply_format.h"

namespace espalier::hosting {

/// "predicted_label, Probability" -> {"predicted_label", "probability"}; empty for an empty text.
std::vector<std::string> ParseSelectedKeys(std::string_view text);

/// kInvalidArgument with the container's text for an objective whose predictions cannot be selected from.
Result<void> CheckSelectable(std::string_view objective);

/// The fields of one row. prediction: what the model predicts for it, one value or one for each class. The objective
/// must pass CheckSelectable. Keys are borrowed from `keys`.
std::vector<ReplyField> SelectFields(std::span<const std::string> keys, std::string_view objective,
                                     std::size_t num_class, std::span<const float> prediction);

}  // namespace espalier::hosting
