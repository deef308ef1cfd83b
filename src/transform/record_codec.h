// One record's way through a transform: what of it goes to the model, and what becomes of it with the model's reply.
//
// A record is a line of CSV or of JSON Lines, or a whole JSON document. InputFilter takes the part for the model out of
// it; JoinSource Input puts the reply beside the record (CSV: cells behind the row; a JSON object: its member
// SageMakerOutput; other JSON: {"SageMakerInput", "SageMakerOutput"}); OutputFilter takes the part to keep out of that.
// The model reads rows of numbers: the part of a JSON record must be a number, an array of numbers (null is a missing
// value) or an array of such arrays, which goes to it as CSV. Cells of CSV are passed on as they are written, quotes
// included. Thread-safe: pure functions.
// Source: AWS developer guide, "Associate prediction results with input records".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "transform/transform_plan.h"

namespace espalier::transform {

/// Appends the lines for the model, ended by '\n', and returns how many: 1 for CSV. kInvalidArgument when the record is
/// not of the format or the filter does not fit it.
Result<std::size_t> AppendModelInput(const TransformPlan& plan, std::string_view record, std::string& payload);

/// Appends the record's line of the output, without a line end. `reply` is what the model answered to this record, the
/// lines without the last line end.
Result<void> AppendOutput(const TransformPlan& plan, std::string_view record, std::string_view reply,
                          std::string& output);

}  // namespace espalier::transform
