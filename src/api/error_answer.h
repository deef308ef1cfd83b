// Errors that arise before a service sees the request, worded as each protocol words them.
// Source: contracts/api.md 3.3, 3.12, 2.8; the S3 error list.
#pragma once

#include <string>
#include <string_view>

#include "api/auth/auth_failure.h"
#include "http/exchange.h"

namespace espalier::api {

enum class WireProtocol {
    kRestXml,   ///< S3
    kJson,      ///< X-Amz-Target services: code in the body's __type
    kRestJson,  ///< SageMaker Runtime: code in x-amzn-ErrorType
    kQuery,     ///< STS, IAM: XML <ErrorResponse>
};

struct WireFault {
    int status;
    std::string code;
    std::string message;
};

/// &, <, >, " and ' as entities; bytes that are no UTF-8 and characters that XML 1.0 cannot hold become '?'.
std::string XmlEscape(std::string_view text);

/// A response with that error in the protocol's form. `resource` is the path, for S3's <Resource>.
http::Response ErrorAnswer(WireProtocol protocol, const WireFault& error, std::string_view resource,
                           std::string_view request_id);

/// Status, code and text that the protocol has for a refused signature.
WireFault DescribeAuthFailure(WireProtocol protocol, const AuthFailure& failure);

}  // namespace espalier::api
