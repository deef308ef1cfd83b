// AWS Signature Version 4: reading the claim, rebuilding what was signed. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/auth/auth_failure.h"
#include "api/auth/canonical.h"
#include "http/exchange.h"

namespace espalier::api {

inline constexpr std::string_view kV4Algorithm = "AWS4-HMAC-SHA256";

/// What a request says about its signature; nothing in it is verified.
struct V4Claim {
    std::string credential;  ///< access_key_id/scope
    std::string access_key_id;
    std::string date;  ///< 20260131
    std::string region;
    std::string service;
    std::string amz_date;                     ///< 20260131T235959Z
    std::vector<std::string> signed_headers;  ///< lower case, in the order given
    std::string signature;                    ///< hex
    bool in_query = false;
    std::int64_t expires_seconds = 0;  ///< presigned only: life from amz_date

    /// date/region/service/aws4_request
    std::string_view scope() const { return std::string_view(credential).substr(access_key_id.size() + 1); }
    bool Signs(std::string_view lower_case_name) const;
};

/// From the value of the Authorization header and x-amz-date (or Date).
std::variant<V4Claim, AuthFailure> ReadV4Header(const http::RequestHead& head, std::string_view authorization);

/// The key id in the value of the Authorization header, without a look at the rest; "" if it has none.
std::string_view AccessKeyIdOf(std::string_view authorization);

/// From the X-Amz-… query parameters.
std::variant<V4Claim, AuthFailure> ReadV4Query(const std::vector<RawParameter>& parameters);

/// `payload_hash` is the last line of the canonical request: hex SHA-256 of the body or one of S3's words.
/// `canonical_path` is the path as the signer is taken to have spelled it.
std::string StringToSignV4(const http::RequestHead& head, const V4Claim& claim, std::string_view canonical_path,
                           std::string_view payload_hash);

/// HMAC chain over date, region and service.
std::array<std::uint8_t, 32> DeriveSigningKey(std::string_view secret, const V4Claim& claim);

}  // namespace espalier::api
