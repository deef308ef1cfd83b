#include "http/post.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "http/socket_io.h"

namespace espalier::http {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

/// 200 of "HTTP/1.1 200 OK".
Result<int> ReadStatus(int socket, Deadline deadline) {
    constexpr std::size_t kStatusEnd = 12;
    std::array<char, kStatusEnd> start{};
    std::size_t size = 0;
    while (size < start.size()) {
        const std::size_t more = TRY(ReadSome(socket, std::span(start).subspan(size), deadline));
        if (more == 0) return Error(ErrorCode::kUnavailable, "the connection was closed without an answer");
        size += more;
    }
    const std::string_view text(start.data(), start.size());
    int status = 0;
    const auto [end, error] = std::from_chars(text.data() + 9, text.data() + kStatusEnd, status);
    if (!text.starts_with("HTTP/1.") || error != std::errc() || end != text.data() + kStatusEnd)
        return Error(ErrorCode::kUnavailable, "the answer is no HTTP");
    return status;
}

}  // namespace

Result<int> Post(const HttpUrl& url, std::string_view content_type, std::string_view body,
                 std::chrono::milliseconds timeout) {
    const Deadline deadline = std::chrono::steady_clock::now() + timeout;
    const Fd socket = TRY(Connect(url, deadline));
    const std::string head = fmt::format(
        "POST {} HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        url.path, url.host, url.port, content_type, body.size());
    TRY(WriteAll(socket.get(), head, true, timeout));
    TRY(WriteAll(socket.get(), body, false, timeout));
    return ReadStatus(socket.get(), deadline);
}

}  // namespace espalier::http
