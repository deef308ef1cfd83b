// The query parameters that the list operations share. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/s3/s3_operation.h"

namespace espalier::api::s3 {

/// A count such as max-keys: `fallback` when absent, capped at `max`; InvalidArgument when it is no number.
S3Result<std::uint32_t> ParseCount(const S3Request& request, std::string_view name, std::uint32_t fallback,
                                   std::uint32_t max);

/// Whether encoding-type=url was asked for; InvalidArgument for another type.
S3Result<bool> WantsUrlEncoding(const S3Request& request);

/// Opaque text for a position in a list, and back. InvalidArgument for a token that is not ours.
std::string EncodeToken(std::string_view position);
S3Result<std::string> DecodeToken(std::string_view token);

/// Percent-encoded when `url` is set, as S3 does it: '/' stays.
std::string ListText(std::string_view text, bool url);

/// The 64-digit canonical id that stands for an account as an owner.
std::string OwnerIdOf(const Principal& principal);

}  // namespace espalier::api::s3
