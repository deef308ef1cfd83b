// The head of a response as bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "http/exchange.h"

namespace espalier::http {

/// How a response is framed on its connection.
struct ResponseFraming {
    bool head_request = false;  ///< HEAD: a handler's own Content-Length is kept, no body follows
    bool close = false;         ///< announces that the connection ends
    bool http_1_0 = false;      ///< keep-alive must then be said
};

/// True if a response of that status carries a body at all (not 1xx, 204, 304).
bool StatusHasBody(int status);

/// Appends status line, the response's fields, Content-Length for `body_bytes` (nullopt: chunked, or for HTTP/1.0 up to
/// the close), Date, Server and Connection to `out`. The handler's Content-Length (except for HEAD and 304),
/// Transfer-Encoding and Connection are dropped. Control characters in a value become blanks, so a value can never
/// start a new field.
void AppendResponseHead(const Response& response, std::optional<std::uint64_t> body_bytes, ResponseFraming framing,
                        std::string& out);

/// The whole of a small answer that the server itself gives (400, 408, 503, …): text/plain, Connection: close.
std::string PlainAnswer(int status, std::string_view message);

}  // namespace espalier::http
