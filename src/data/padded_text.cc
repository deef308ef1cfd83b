#include "data/padded_text.h"

#include <fmt/format.h>

#include <cstring>

namespace espalier::data {

Result<void> ParseRequestText(std::string_view body, FeatureRows& rows,
                              const std::function<std::optional<TextIssue>(PaddedText)>& parse) {
    rows.Clear();
    if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
    std::size_t head = 0;
    if (body.size() > kernels::kTextPadding) {
        // A single row without a line end is looked through as a whole: memrchr does so a vector at a time.
        const void* line_end = memrchr(body.data(), '\n', body.size() - kernels::kTextPadding);
        if (line_end != nullptr) head = static_cast<std::size_t>(static_cast<const char*>(line_end) - body.data()) + 1;
    }
    std::size_t base = 0;
    std::optional<TextIssue> issue = parse({body.data(), body.data() + head});
    if (!issue) {
        thread_local PaddedBuffer tail;
        base = head;
        issue = parse(tail.Assign(body.substr(head)));
    }
    if (!issue) return {};
    TextPlace place = FindPlace(body, base + issue->offset);
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("line {}, column {}: {}", place.line, place.column, issue->message));
}

}  // namespace espalier::data
