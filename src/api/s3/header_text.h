// Words and numbers in the headers of S3. Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace espalier::api::s3 {

/// ASCII letters in lower case, everything else as it is.
std::string Lower(std::string_view text);

/// A number of digits only; nullopt for anything else and for more than 64 bits hold.
std::optional<std::uint64_t> ParseDecimal(std::string_view text);

}  // namespace espalier::api::s3
