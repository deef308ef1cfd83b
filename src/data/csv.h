// Numeric CSV: label first in training data, no label in requests, no header line.
//
// The delimiter is found out from the first line: one of , tab ; space | : . Cells may be quoted with ". An empty cell
// and nan are missing, and in training so is text that is no number (XGBoost's rule; the load report tells where). inf
// is refused, as is a line with another number of cells than the first. A header line is recognised and refused by
// name. Source: contracts/xgboost.md 2.4 and 6.3. Training files are read through data/load_rows.h. Thread-safe: pure
// functions.
#pragma once

#include <string_view>

#include "base/result.h"
#include "data/feature_rows.h"

namespace espalier::data {

/// The delimiter of the first line that is not blank; ',' when the line is a single number.
/// kInvalidArgument "Could not determine delimiter on line {first 50}" when no candidate separates its cells.
Result<char> DetermineCsvDelimiter(std::string_view text);

/// The rows of a request, one per line that is not blank, every column a feature, into `rows` (cleared first; reuse
/// it). All cells must be numbers, empty or nan, and all lines equally long: kInvalidArgument with "line 3, column 7:
/// …".
Result<void> ParseCsvRequest(std::string_view body, FeatureRows& rows);

}  // namespace espalier::data
