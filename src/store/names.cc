#include "store/names.h"

#include <algorithm>

namespace espalier::store {
namespace {

bool IsLowerOrDigit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool LooksLikeIpv4(std::string_view text) {
    const bool only_digits_and_dots =
        std::all_of(text.begin(), text.end(), [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
    return only_digits_and_dots && std::count(text.begin(), text.end(), '.') == 3;
}

/// Well-formed UTF-8 (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF) without NUL.
bool IsUtf8WithoutNul(std::string_view text) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    const auto in = [](unsigned value, unsigned low, unsigned high) { return value >= low && value <= high; };
    for (std::size_t at = 0; at < text.size();) {
        const unsigned lead = byte(at);
        if (lead == 0) return false;
        if (lead < 0x80) {
            at += 1;
        } else if (in(lead, 0xC2, 0xDF)) {
            if (!in(byte(at + 1), 0x80, 0xBF)) return false;
            at += 2;
        } else if (in(lead, 0xE0, 0xEF)) {
            const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
            const unsigned high = lead == 0xED ? 0x9F : 0xBF;
            if (!in(byte(at + 1), low, high) || !in(byte(at + 2), 0x80, 0xBF)) return false;
            at += 3;
        } else if (in(lead, 0xF0, 0xF4)) {
            const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
            const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
            if (!in(byte(at + 1), low, high) || !in(byte(at + 2), 0x80, 0xBF) || !in(byte(at + 3), 0x80, 0xBF)) {
                return false;
            }
            at += 4;
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace

Result<BucketName> BucketName::Parse(std::string_view text) {
    const bool characters =
        std::all_of(text.begin(), text.end(), [](char c) { return IsLowerOrDigit(c) || c == '-' || c == '.'; });
    if (text.size() < 3 || text.size() > 63 || !characters || !IsLowerOrDigit(text.front()) ||
        !IsLowerOrDigit(text.back()) || text.find("..") != std::string_view::npos || LooksLikeIpv4(text)) {
        return Error(ErrorCode::kInvalidArgument, "The specified bucket is not valid.");
    }
    return BucketName(std::string(text));
}

Result<ObjectKey> ObjectKey::Parse(std::string_view text) {
    if (text.size() > kKeyBytesMax) return Error(ErrorCode::kResourceLimit, "Your key is too long");
    if (text.empty()) return Error(ErrorCode::kInvalidArgument, "a key must not be empty");
    if (!IsUtf8WithoutNul(text)) return Error(ErrorCode::kInvalidArgument, "a key must be UTF-8 without NUL");
    return ObjectKey(std::string(text));
}

}  // namespace espalier::store
