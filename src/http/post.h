// The client's side of HTTP/1.1, as much as handing a document to a neighbour needs: one POST, one connection.
//
// No redirects, no keep-alive. Blocks, so only on threads that may. Thread-safe.
#pragma once

#include <chrono>
#include <string_view>

#include "base/result.h"
#include "http/connect.h"

namespace espalier::http {

/// The status of the answer; its body is not read. kUnavailable when there is none within `timeout`.
Result<int> Post(const HttpUrl& url, std::string_view content_type, std::string_view body,
                 std::chrono::milliseconds timeout);

}  // namespace espalier::http
