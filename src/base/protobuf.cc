#include "base/protobuf.h"

namespace espalier {

bool ProtobufCursor::TakeVarint(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        if (shift == 63 && byte > 1) break;  // Beyond 64 bits.
        value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
        if (byte < 0x80U) return true;
    }
    return Break();
}

bool ProtobufCursor::Take(std::uint64_t size, std::string_view& bytes) {
    if (size > rest_.size()) return Break();
    bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
}

bool ProtobufCursor::NextVarint(std::uint64_t& value) {
    return !rest_.empty() && !broken_ && TakeVarint(value);
}

bool ProtobufCursor::Next(ProtobufField& field) {
    if (rest_.empty() || broken_) return false;
    std::uint64_t tag = 0;
    if (!TakeVarint(tag)) return false;
    const std::uint64_t number = tag >> 3U;
    if (number == 0 || number >= (1U << 29U)) return Break();
    field.number = static_cast<std::uint32_t>(number);
    field.bytes = {};
    field.value = 0;
    switch (tag & 7U) {
        case 0:
            field.type = WireType::kVarint;
            return TakeVarint(field.value);
        case 1:
            field.type = WireType::kFixed64;
            break;
        case 2: {
            field.type = WireType::kBytes;
            std::uint64_t size = 0;
            return TakeVarint(size) && Take(size, field.bytes);
        }
        case 5:
            field.type = WireType::kFixed32;
            break;
        default:
            return Break();
    }
    if (!Take(field.type == WireType::kFixed64 ? 8 : 4, field.bytes)) return false;
    std::memcpy(&field.value, field.bytes.data(), field.bytes.size());
    return true;
}

void AppendVarint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) out += static_cast<char>((value & 0x7FU) | 0x80U);
    out += static_cast<char>(value);
}

void AppendVarintField(std::string& out, std::uint32_t number, std::uint64_t value) {
    AppendVarint(out, std::uint64_t{number} << 3U);
    AppendVarint(out, value);
}

void AppendBytesField(std::string& out, std::uint32_t number, std::string_view bytes) {
    AppendVarint(out, (std::uint64_t{number} << 3U) | 2U);
    AppendVarint(out, bytes.size());
    out += bytes;
}

}  // namespace espalier
