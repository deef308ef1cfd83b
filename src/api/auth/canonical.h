// The parts of a request in the one spelling that both sides sign. Pure functions.
//
// Source: AWS "Create a signed AWS API request"; what botocore's signers do where the text leaves room.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "http/exchange.h"

namespace espalier::api {

/// Name and value as received, still percent-encoded; the value is "" when there is no '='.
using RawParameter = std::pair<std::string_view, std::string_view>;

/// Views into `raw_query`.
std::vector<RawParameter> SplitQuery(std::string_view raw_query);

/// The decoded value of the first parameter of that exact name; nullopt when absent or badly encoded.
std::optional<std::string> QueryValue(const std::vector<RawParameter>& parameters, std::string_view name);

/// S3: the path encoded once, nothing normalised. Escapes stay (in upper case), what should be escaped is.
std::string CanonicalPathOnce(std::string_view raw_path);

/// All other services: dot segments and empty segments removed, then the encoded path encoded again.
std::string CanonicalPathTwice(std::string_view raw_path);

/// Sorted "name=value&…" without the parameter called `left_out`.
std::string CanonicalQuery(const std::vector<RawParameter>& parameters, std::string_view left_out);

/// All values of a header joined by commas, outer white space removed, inner runs of it made one blank.
void AppendCanonicalHeaderValue(const http::Headers& headers, std::string_view name, std::string& out);

/// "20260131T235959Z"; nullopt for anything else.
std::optional<UnixMillis> ParseAmzDate(std::string_view text);

/// "Mon, 01 Jan 2024 00:00:00 GMT" (also with +0000); nullopt for anything else.
std::optional<UnixMillis> ParseHttpDate(const std::string& text);

/// "20260131T235959Z".
std::string FormatAmzDate(UnixMillis time);

std::string LowerCase(std::string_view text);

}  // namespace espalier::api
