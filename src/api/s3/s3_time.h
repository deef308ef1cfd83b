// Times as S3 writes them: HTTP dates in headers, ISO 8601 with milliseconds in XML. UTC throughout. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace espalier::api::s3 {

/// "Mon, 23 Nov 2026 08:17:28 GMT"; the milliseconds are cut off.
std::string FormatHttpDate(UnixMillis time);
/// The three forms of RFC 9110 5.6.7, and ISO 8601 with 'Z', which S3 takes too. Milliseconds at the second's start.
std::optional<UnixMillis> ParseHttpDate(std::string_view text);
/// "2026-11-23T08:17:28.123Z".
std::string FormatIso8601(UnixMillis time);

}  // namespace espalier::api::s3
