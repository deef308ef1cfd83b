// Why a signature is refused, before any protocol words it (api/auth_answer.h does that).
#pragma once

#include <string>

namespace espalier::api {

enum class AuthFault {
    kMissing,           ///< no signature at all
    kMalformed,         ///< a signature that cannot be read
    kUnknownKey,        ///< no such access key
    kMismatch,          ///< the signature is not the one we compute
    kSkewed,            ///< the request's time is more than 15 minutes off
    kExpired,           ///< a presigned link past its end
    kHeadersNotSigned,  ///< a header that must be signed is not in SignedHeaders
    kBodyMismatch,      ///< the body is not the one that was signed
};

struct AuthFailure {
    AuthFault fault;
    std::string detail;         ///< a sentence for the client where the fault alone says too little
    std::string access_key_id;  ///< as claimed; "" if unknown
    bool in_query = false;      ///< the signature stood in the query: a presigned link
};

}  // namespace espalier::api
