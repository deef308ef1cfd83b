// How an answer's rows become bytes: which form a request asks for by Accept, and records of named values in each form.
//
// Source: contracts/xgboost.md 6.5, 6.6 (encoder.py and serve_utils.py of aws/sagemaker-xgboost-container).
// Thread-safe: pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espalier::hosting {

enum class ReplyForm { kCsv, kJson, kJsonLines, kRecordIo };

/// What an Accept header says: the form, and, as a parameter of ours, `output=NAME` (docs/guide.md).
struct AcceptedReply {
    ReplyForm form = ReplyForm::kCsv;
    std::string output;
};

/// An absent type, and */*, give the form of `default_accept`. kInvalidArgument with the container's text for 406.
Result<AcceptedReply> ParseAccept(std::string_view accept, std::string_view default_accept);

/// Of static lifetime.
std::string_view ContentTypeOf(ReplyForm form);

/// One named value of a row.
struct ReplyField {
    std::string_view key;
    std::vector<float> values;
    bool list = false;   ///< [0.4, 0.6] rather than 0.4
    bool whole = false;  ///< 1 rather than 1.0
};

/// Appends a row: CSV `0.4,"[0.4, 0.6]"` without a line end; JSON and JSON lines `{"key": 0.4, …}` without one;
/// RecordIO a frame of a Record whose label holds each key.
void AppendRecord(std::string& out, ReplyForm form, std::span<const ReplyField> fields);

/// Where the rows at hand stand in the whole answer, which may be made in slices.
struct Slice {
    bool is_first = true;
    bool is_last = true;
};

/// All rows: JSON in {"predictions": […]}, JSON lines each with a line end, CSV with line ends between them.
class RecordReply {
  public:
    RecordReply(ReplyForm form, Slice slice);
    void Add(std::span<const ReplyField> fields);
    std::string Take();

  private:
    ReplyForm form_;
    Slice slice_;
    std::string body_;
    bool first_;
};

}  // namespace espalier::hosting
