// The head of a request, bytes to RequestHead, refusing whatever two parsers could read differently (RFC 9112).
//
// Beast's parser checks the grammar. On top of it, as defence against request smuggling: CRLF line ends only, no folded
// lines, no doubled Content-Length, Transfer-Encoding or Host, never Content-Length beside Transfer-Encoding, no
// transfer coding but "chunked", none of it in HTTP/1.0.
// Stateless, so thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "http/exchange.h"

namespace espalier::http {

/// Request line, fields and the empty line together.
inline constexpr std::size_t kHeadBytesMax = 16 * 1024;
inline constexpr std::size_t kHeadFieldsMax = 100;
inline constexpr std::size_t kTargetBytesMax = 8 * 1024;

/// Why a head is refused. The connection closes after such an answer: where the next request starts is not known.
struct HeadError {
    int status;           ///< 400, 414, 417, 431, 501 or 505
    const char* message;  ///< a sentence for the client
};

/// What a head says besides RequestHead.
struct ParsedHead {
    RequestHead head;  ///< without remote_address
    bool keep_alive = true;
    bool http_1_0 = false;

    /// As new, but for the memory.
    void Clear() {
        ParsedHead kept;
        kept.head = std::move(head);
        kept.head.Clear();
        *this = std::move(kept);
    }
};

/// Parses one head, from the first byte of the request line through the empty line.
std::optional<HeadError> ParseHead(std::string_view bytes, ParsedHead& parsed);

}  // namespace espalier::http
