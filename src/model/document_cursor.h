// A forward walk over one JSON or UBJSON document, value by value, without building a tree of it.
//
// Nouns: cursor = a place before a value; each Read… and Skip call takes exactly the value it stands before.
// Limits: nesting kDocumentDepthMax; arrays are sized only after the bytes that hold them were seen to be there, so
// numbers stay within four times the document. Every failure is kCorruptData with the byte offset.
// Confined to one thread. The document is borrowed and must outlive the cursor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espalier::model {

inline constexpr int kDocumentDepthMax = 64;

enum class ValueKind { kObject, kArray, kString, kNumber, kBool, kNull };

class DocumentCursor {
  public:
    virtual ~DocumentCursor() = default;

    virtual Result<ValueKind> Peek() = 0;
    /// Calls on_member with each key; it must take the member's value. The key is valid during the call only.
    virtual Result<void> ReadObject(const std::function<Result<void>(std::string_view key)>& on_member) = 0;
    /// Calls on_element before each element; it must take it.
    virtual Result<void> ReadArray(const std::function<Result<void>()>& on_element) = 0;
    virtual Result<void> ReadString(std::string& value) = 0;
    /// Arrays of numbers; each replaces `values`. Integers out of range are refused.
    virtual Result<void> ReadFloats(std::vector<float>& values) = 0;
    virtual Result<void> ReadInts(std::vector<std::int32_t>& values) = 0;
    virtual Result<void> ReadInt64s(std::vector<std::int64_t>& values) = 0;
    /// One whole number.
    virtual Result<void> ReadInteger(std::int64_t& value) = 0;
    /// An array of true, false, 0 or 1 (and small numbers up to 255).
    virtual Result<void> ReadBytes(std::vector<std::uint8_t>& values) = 0;
    virtual Result<void> Skip() = 0;
    /// kCorruptData unless only blanks follow.
    virtual Result<void> ExpectEnd() = 0;
};

std::unique_ptr<DocumentCursor> MakeJsonCursor(std::string_view document);
std::unique_ptr<DocumentCursor> MakeUbjsonCursor(std::string_view document);

}  // namespace espalier::model
