// S3's Signature Version 2: `Authorization: AWS key:signature`, and presigned links
// `?AWSAccessKeyId=&Signature=&Expires=` (what boto3 still makes by default in us-east-1). Pure functions. Source: AWS
// "Signing and authenticating REST requests (Signature Version 2)"; botocore's HmacV1 signers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/auth/auth_failure.h"
#include "api/auth/canonical.h"
#include "http/exchange.h"

namespace espalier::api {

/// What a request says about its signature; nothing in it is verified.
struct V2Claim {
    std::string access_key_id;
    std::string signature;  ///< base64 of HMAC-SHA1
    bool in_query = false;
    std::int64_t expires_unix_seconds = 0;  ///< links only
};

std::variant<V2Claim, AuthFailure> ReadV2Header(std::string_view authorization);
std::variant<V2Claim, AuthFailure> ReadV2Query(const std::vector<RawParameter>& parameters);

/// `path`: one of the spellings that ResourcePathsV2 gives.
std::string StringToSignV2(const http::RequestHead& head, const V2Claim& claim, std::string_view path);

/// How the signer may have spelled the path: as it was sent, and a bucket alone ("/bucket") also with the slash that
/// botocore signs and does not send.
std::vector<std::string> ResourcePathsV2(const http::RequestHead& head);

}  // namespace espalier::api
