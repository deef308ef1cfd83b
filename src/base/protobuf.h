// The protobuf wire format, read and written field by field; what a field means is known by the caller.
//
// Nouns: field (a number and a value: varint, fixed 32 or 64 bits, or a run of bytes: string, message or packed list).
// A message is a run of fields; unknown ones are stepped over by ignoring them, as protobuf asks for. Groups (wire
// types 3 and 4, given up by protobuf in 2008) are refused. Nothing is copied: views point into the bytes given, which
// must outlive them. Reading never goes back, so the time is linear in the size, and it asks for no memory. Source:
// protobuf documentation, "Encoding". Thread-safe: a cursor is confined to its owner, the functions are pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace espalier {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct ProtobufField {
    std::uint32_t number = 0;
    WireType type = WireType::kVarint;
    std::uint64_t value = 0;  ///< of varints and fixed numbers, in their low bits
    std::string_view bytes;   ///< of kBytes; for fixed numbers their little-endian bytes
};

class ProtobufCursor {
  public:
    explicit ProtobufCursor(std::string_view bytes) : begin_(bytes.data()), rest_(bytes) {}

    /// The next field; false at the end of the message and at bytes that are none (then `broken`).
    bool Next(ProtobufField& field);
    /// The next varint of a packed list; false as above.
    bool NextVarint(std::uint64_t& value);

    bool broken() const { return broken_; }
    /// Of the next byte to read, in the bytes given.
    std::size_t offset() const { return static_cast<std::size_t>(rest_.data() - begin_); }

  private:
    bool TakeVarint(std::uint64_t& value);
    bool Take(std::uint64_t size, std::string_view& bytes);
    bool Break() {
        broken_ = true;
        return false;
    }

    const char* begin_;
    std::string_view rest_;
    bool broken_ = false;
};

void AppendVarint(std::string& out, std::uint64_t value);
void AppendVarintField(std::string& out, std::uint32_t number, std::uint64_t value);
void AppendBytesField(std::string& out, std::uint32_t number, std::string_view bytes);

}  // namespace espalier
