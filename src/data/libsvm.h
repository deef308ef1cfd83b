// libsvm text: `label[:weight] [qid:N] index[:value] …` a line, `#` starts a comment.
//
// Indices are taken as written, from 0, never shifted: a file that counts from 1 simply leaves feature 0 missing. An
// explicit 0 is a present zero. `index` alone means value 1. nan is missing, inf is refused. Indices may come in any
// order; the same index twice in one row is refused in training data (XGBoost keeps both and trains on a row that
// counts twice) and summed in requests (the container builds a scipy matrix, which sums). Lines end with \n, \r or
// both; blank lines count for nothing; a UTF-8 byte order mark is skipped. Source: contracts/xgboost.md 2.3 and 6.3;
// compared with the stock package by tests/parity/test_predict.py. Training files are read through data/load_rows.h.
// Thread-safe: pure functions.
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

/// The rows of a request, one per line that is not blank, into `rows` (cleared first; reuse it, and nothing is
/// allocated once it is warm). A first token without ":" is a label and is ignored (refused if it has a comma: that
/// is CSV); `label:weight` cannot be told from a feature and is one, as in the container. kInvalidArgument with "line
/// 3, column 7: …".
Result<void> ParseLibsvmRequest(std::string_view body, FeatureRows& rows);

/// How the rows of a training text are to be read.
struct LibsvmRules {
    bool weights = false;  ///< every row has label:weight (or none has)
    bool queries = false;  ///< every row has qid:N (or none has)
    std::uint32_t feature_idx_max = kFeatureIdxMax;
};

/// Whether the first row of the text has a weight and a query; nothing when the text holds no row. The rest of `rules`
/// keeps its value.
bool SniffLibsvmRules(PaddedText text, LibsvmRules& rules);

/// Appends the rows of whole lines to `rows`. On an issue `rows` is left with the rows before it, or a part of them.
std::optional<TextIssue> ParseLibsvmBlock(PaddedText text, const LibsvmRules& rules, RowBlock& rows);

/// The same in the form of a request (see ParseLibsvmRequest): no labels are kept.
std::optional<TextIssue> ParseUnlabeledLibsvmBlock(PaddedText text, const LibsvmRules& rules, FeatureRows& rows);

}  // namespace espalier::data
