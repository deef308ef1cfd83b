// Numeric CSV: label first in training data, no label in requests, no header line.
//
// The delimiter is found out from the first line: the first of , tab ; space : that stands there, else the sign that
// stands there most often (|, for example). Cells may be quoted with ". An empty cell
// and nan are missing, and in training so is text that is no number (XGBoost's rule; the load report tells where). inf
// is refused, as is a line with another number of cells than the first. A header line is recognised and refused by
// name. Source: contracts/xgboost.md 2.4 and 6.3. Training files are read through data/load_rows.h. Thread-safe: pure
// functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "data/feature_rows.h"
#include "data/padded_text.h"
#include "data/row_block.h"
#include "data/text_issue.h"

namespace espalier::data {

/// The delimiter of the first line that is not blank; ',' when the line is a single number.
/// kInvalidArgument "Could not determine delimiter on line {first 50}" when no candidate separates its cells.
Result<char> DetermineCsvDelimiter(std::string_view text);

/// The rows of a request, one per line that is not blank, every column a feature, into `rows` (cleared first; reuse
/// it). All cells must be numbers, empty or nan, and all lines equally long: kInvalidArgument with "line 3, column 7:
/// …".
Result<void> ParseCsvRequest(std::string_view body, FeatureRows& rows);

/// How the lines of a training text are to be read.
struct CsvRules {
    char delimiter = ',';
    std::uint32_t num_columns = 0;  ///< cells of every line, label and weight included
    bool weights = false;           ///< column 1 is the row's weight
};

/// Number of cells of the first line that is not blank; 0 when all are.
std::uint32_t CountCsvColumns(std::string_view text, char delimiter);

/// Cells of training data that hold text instead of a number and were taken as missing.
struct CsvTextCells {
    std::uint64_t count = 0;
    std::size_t first_offset = 0;  ///< of the first such cell in the block
};

/// Appends the rows of whole lines to `rows`. On an issue `rows` is left with the rows before it, or a part of them.
std::optional<TextIssue> ParseCsvBlock(PaddedText text, const CsvRules& rules, RowBlock& rows,
                                       CsvTextCells& text_cells);

/// The same in the form of a request (see ParseCsvRequest): every column is a feature, text is an issue.
std::optional<TextIssue> ParseUnlabeledCsvBlock(PaddedText text, const CsvRules& rules, FeatureRows& rows);

}  // namespace espalier::data
