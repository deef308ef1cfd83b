#include "data/padded_text.h"

#include <fmt/format.h>

namespace espalier::data {

Result<void> ParseRequestText(std::string_view body, FeatureRows& rows,
                              const std::function<std::optional<TextIssue>(PaddedText)>& parse) {
    rows.Clear();
    if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
    std::size_t head = 0;
    if (body.size() > kernels::kTextPadding) {
        std::size_t line_end = body.substr(0, body.size() - kernels::kTextPadding).find_last_of('\n');
        if (line_end != std::string_view::npos) head = line_end + 1;
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
