// Bytes as text and back: hexadecimal, base64 (RFC 4648 section 4), percent-encoding (RFC 3986).
//
// All functions work on bytes: a std::string here is a byte string of any content. Decoders are strict and answer
// nullopt for anything their encoder could not have written (PercentDecode also takes needless escapes and lower-case
// hex). Stateless, so thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace espalier {

/// The bytes of an array (a digest, say) as a string_view over the same memory.
inline std::string_view AsChars(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Two lower-case digits a byte.
std::string HexEncode(std::string_view bytes);
inline std::string HexEncode(std::span<const std::uint8_t> bytes) {
    return HexEncode(AsChars(bytes));
}

/// Digits of either case; nullopt for an odd length or another character.
std::optional<std::string> HexDecode(std::string_view text);

/// With padding, no line breaks.
std::string Base64Encode(std::string_view bytes);
inline std::string Base64Encode(std::span<const std::uint8_t> bytes) {
    return Base64Encode(AsChars(bytes));
}

/// nullopt for a missing or misplaced '=', white space, a foreign character, or unused bits that are not zero (so each
/// byte string has exactly one accepted text).
std::optional<std::string> Base64Decode(std::string_view text);

enum class Slash {
    kEncode,  ///< query names and values
    kKeep,    ///< paths
};

/// Every byte but the unreserved ones (A-Z a-z 0-9 - . _ ~) becomes %XX with upper-case digits: what AWS signs.
std::string PercentEncode(std::string_view bytes, Slash slash);

/// %XX to bytes, everything else as it is: '+' stays '+' (S3 keys). nullopt for a '%' without two hex digits.
std::optional<std::string> PercentDecode(std::string_view text);

/// As PercentDecode, and '+' is a blank: application/x-www-form-urlencoded.
std::optional<std::string> FormDecode(std::string_view text);

}  // namespace espalier
