// The client's side of HTTP/1.1, as much as handing a document to a neighbour needs: one POST, one connection.
//
// Plain http only, no redirects, no proxy, no keep-alive. Blocks, so only on threads that may; names are looked up by
// the system. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace espalier::http {

struct HttpUrl {
    std::string host;
    std::uint16_t port = 80;
    std::string path = "/";  ///< without a trailing '/', unless it is "/"

    /// kInvalidArgument with how to mend it: https is not spoken, "http://HOST[:PORT][/PATH]" is.
    static Result<HttpUrl> Parse(std::string_view text);
};

/// The status of the answer; its body is not read. kUnavailable when there is none within `timeout`.
Result<int> Post(const HttpUrl& url, std::string_view content_type, std::string_view body,
                 std::chrono::milliseconds timeout);

}  // namespace espalier::http
