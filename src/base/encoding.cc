#include "base/encoding.h"

#include <array>

namespace espalier {
namespace {

constexpr std::string_view kHexLower = "0123456789abcdef";
constexpr std::string_view kHexUpper = "0123456789ABCDEF";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kInvalid = 0xFF;

constexpr std::array<std::uint8_t, 256> MakeBase64Values() {
    std::array<std::uint8_t, 256> values{};
    for (auto& value : values) value = kInvalid;
    for (std::size_t i = 0; i < kBase64.size(); ++i) {
        values[static_cast<unsigned char>(kBase64[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr std::array<std::uint8_t, 256> kBase64Values = MakeBase64Values();

std::uint8_t HexValue(char c) {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
    return kInvalid;
}

bool IsUnreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

std::optional<std::string> Unescape(std::string_view text, bool plus_is_blank) {
    std::string bytes;
    bytes.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            std::uint8_t high = HexValue(text[i + 1]);
            std::uint8_t low = HexValue(text[i + 2]);
            if (high == kInvalid || low == kInvalid) return std::nullopt;
            bytes += static_cast<char>(high << 4 | low);
            i += 2;
        } else {
            bytes += plus_is_blank && c == '+' ? ' ' : c;
        }
    }
    return bytes;
}

}  // namespace

std::string HexEncode(std::string_view bytes) {
    std::string text(bytes.size() * 2, '\0');
    char* digits = text.data();
    for (char c : bytes) {
        auto byte = static_cast<unsigned char>(c);
        *digits++ = kHexLower[byte >> 4];
        *digits++ = kHexLower[byte & 15];
    }
    return text;
}

std::optional<std::string> HexDecode(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        std::uint8_t high = HexValue(text[i]);
        std::uint8_t low = HexValue(text[i + 1]);
        if (high == kInvalid || low == kInvalid) return std::nullopt;
        bytes += static_cast<char>(high << 4 | low);
    }
    return bytes;
}

std::string Base64Encode(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::size_t i = 0;
    auto byte_at = [&](std::size_t idx) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[idx])); };
    for (; i + 3 <= bytes.size(); i += 3) {
        std::uint32_t group = byte_at(i) << 16 | byte_at(i + 1) << 8 | byte_at(i + 2);
        for (int shift = 18; shift >= 0; shift -= 6) text += kBase64[group >> shift & 63];
    }
    if (i + 1 == bytes.size()) {
        std::uint32_t group = byte_at(i) << 16;
        text += kBase64[group >> 18 & 63];
        text += kBase64[group >> 12 & 63];
        text += "==";
    } else if (i + 2 == bytes.size()) {
        std::uint32_t group = byte_at(i) << 16 | byte_at(i + 1) << 8;
        text += kBase64[group >> 18 & 63];
        text += kBase64[group >> 12 & 63];
        text += kBase64[group >> 6 & 63];
        text += '=';
    }
    return text;
}

std::optional<std::string> Base64Decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t num_padding = 0;
    while (num_padding < 2 && num_padding < text.size() && text[text.size() - 1 - num_padding] == '=') ++num_padding;
    std::string_view digits = text.substr(0, text.size() - num_padding);
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    int num_bits = 0;
    for (char c : digits) {
        std::uint8_t value = kBase64Values[static_cast<unsigned char>(c)];
        if (value == kInvalid) return std::nullopt;
        bits = bits << 6 | value;
        num_bits += 6;
        if (num_bits >= 8) {
            num_bits -= 8;
            bytes += static_cast<char>(bits >> num_bits & 0xFF);
        }
    }
    if ((bits & ((1U << num_bits) - 1)) != 0) return std::nullopt;
    return bytes;
}

std::string PercentEncode(std::string_view bytes, Slash slash) {
    std::string text;
    text.reserve(bytes.size());
    for (char c : bytes) {
        if (IsUnreserved(c) || (c == '/' && slash == Slash::kKeep)) {
            text += c;
        } else {
            auto byte = static_cast<unsigned char>(c);
            text += '%';
            text += kHexUpper[byte >> 4];
            text += kHexUpper[byte & 15];
        }
    }
    return text;
}

std::optional<std::string> PercentDecode(std::string_view text) {
    return Unescape(text, false);
}

std::optional<std::string> FormDecode(std::string_view text) {
    return Unescape(text, true);
}

}  // namespace espalier
