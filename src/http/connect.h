// The client's way to a server: its address, and a connection to it.
//
// Plain http only, no proxy; names are looked up by the system. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "base/result.h"

namespace espalier::http {

struct HttpUrl {
    std::string host;
    std::uint16_t port = 80;
    std::string path = "/";  ///< without a trailing '/', unless it is "/"

    /// kInvalidArgument with how to mend it: https is not spoken, "http://HOST[:PORT][/PATH]" is.
    static Result<HttpUrl> Parse(std::string_view text);
};

/// A non-blocking socket, for http/socket_io.h. kUnavailable when there is no answer before `deadline`.
Result<Fd> Connect(const HttpUrl& url, std::chrono::steady_clock::time_point deadline);

}  // namespace espalier::http
