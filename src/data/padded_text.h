// Text that fast parsers may read past: whole lines, and kTextPadding readable bytes after the last.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "data/feature_rows.h"
#include "data/text_issue.h"
#include "kernels/text_number.h"

namespace espalier::data {

/// UTF-8's, which editors on Windows put first in a file.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// A view of whole lines. Invariant: `end[-1]` is a line end unless the text is empty, and the kTextPadding bytes from
/// `end` on can be read. Borrowed.
struct PaddedText {
    const char* begin = nullptr;
    const char* end = nullptr;

    std::size_t size() const { return static_cast<std::size_t>(end - begin); }
    std::string_view view() const { return {begin, size()}; }
};

/// An owned, reusable padded copy.
class PaddedBuffer {
  public:
    /// The text, with a line end added if it lacks one.
    PaddedText Assign(std::string_view text) {
        bytes_.resize(text.size() + 1 + kernels::kTextPadding);
        std::copy(text.begin(), text.end(), bytes_.begin());
        std::size_t size = text.size();
        if (size > 0 && text.back() != '\n' && text.back() != '\r') bytes_[size++] = '\n';
        std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(size), bytes_.end(), '\n');
        return {bytes_.data(), bytes_.data() + size};
    }

  private:
    EntryVector<char> bytes_;
};

/// Gives a request body to `parse` (PaddedText -> optional<TextIssue>), which appends to `rows` (cleared first): the
/// lines that have enough text after them in place, the last ones from a padded copy owned by the thread. An issue
/// becomes kInvalidArgument "line 3, column 7: …".
Result<void> ParseRequestText(std::string_view body, FeatureRows& rows,
                              const std::function<std::optional<TextIssue>(PaddedText)>& parse);

}  // namespace espalier::data
