// What the JSON and the UBJSON cursor share: the place in the document, its depth, and errors that name the place.
// Internal to model/. Confined to one thread.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "model/document_cursor.h"

namespace espalier::model {

class CursorPlace : public DocumentCursor {
  protected:
    /// `format` as errors name it; both are borrowed.
    CursorPlace(std::string_view document, std::string_view format)
        : begin_(document.data()), p_(begin_), end_(begin_ + document.size()), format_(format) {}

    Error Fail(std::string_view what) const {
        return Error(ErrorCode::kCorruptData,
                     fmt::format("{} at byte {} of the {} document", what, p_ - begin_, format_));
    }

    bool TakeByte(char c) {
        if (p_ == end_ || *p_ != c) return false;
        ++p_;
        return true;
    }

    Result<void> ExpectByte(char c) {
        if (TakeByte(c)) return {};
        return Fail(p_ == end_ ? fmt::format("the document ends where '{}' should stand", c)
                               : fmt::format("'{}' is expected", c));
    }

    Result<void> Deepen() {
        if (++depth_ > kDocumentDepthMax) return Fail("values are nested too deeply");
        return {};
    }

    const char* const begin_;
    const char* p_;
    const char* const end_;
    const std::string_view format_;
    int depth_ = 0;
};

}  // namespace espalier::model
