#include "http/post.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

#include "base/fs.h"
#include "http/socket_io.h"

namespace espalier::http {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

Error NoUrl(std::string_view text) {
    return {ErrorCode::kInvalidArgument, fmt::format("'{}' is not of the form http://HOST[:PORT][/PATH]", text)};
}

/// Connects within the deadline; the socket is non-blocking.
Result<Fd> ConnectTo(const addrinfo& address, Deadline deadline) {
    Fd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) return ErrnoError("socket", errno);
    if (connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return socket;
    if (errno != EINPROGRESS) return ErrnoError("connect", errno);
    pollfd ready{.fd = socket.get(), .events = POLLOUT, .revents = 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || poll(&ready, 1, static_cast<int>(left.count())) <= 0)
        return Error(ErrorCode::kUnavailable, "connect: it takes too long");
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return ErrnoError("connect", error);
    return socket;
}

Result<Fd> ConnectTo(const HttpUrl& url, Deadline deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
    if (status != 0)
        return Error(ErrorCode::kUnavailable, fmt::format("look up {}: {}", url.host, gai_strerror(status)));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
    Error last(ErrorCode::kUnavailable, fmt::format("{} has no address", url.host));
    for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
        Result<Fd> socket = ConnectTo(*address, deadline);
        if (socket) return socket;
        last = std::move(socket).error();
    }
    return last;
}

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

Result<HttpUrl> HttpUrl::Parse(std::string_view text) {
    constexpr std::string_view kScheme = "http://";
    if (!text.starts_with(kScheme)) return NoUrl(text);
    std::string_view rest = text.substr(kScheme.size());
    HttpUrl url;
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos) {
        url.path = rest.substr(slash);
        rest = rest.substr(0, slash);
        while (url.path.size() > 1 && url.path.back() == '/') url.path.pop_back();
    }
    const std::size_t colon = rest.rfind(':');
    const bool has_port = colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos;
    if (has_port) {
        const std::string_view port = rest.substr(colon + 1);
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
        if (error != std::errc() || end != port.data() + port.size() || url.port == 0) return NoUrl(text);
        rest = rest.substr(0, colon);
    }
    if (rest.size() > 2 && rest.front() == '[' && rest.back() == ']') rest = rest.substr(1, rest.size() - 2);
    if (rest.empty() || rest.find_first_of(" @?#\r\n") != std::string_view::npos ||
        url.path.find_first_of(" \r\n") != std::string::npos)
        return NoUrl(text);
    url.host = rest;
    return url;
}

Result<int> Post(const HttpUrl& url, std::string_view content_type, std::string_view body,
                 std::chrono::milliseconds timeout) {
    const Deadline deadline = std::chrono::steady_clock::now() + timeout;
    const Fd socket = TRY(ConnectTo(url, deadline));
    const std::string head = fmt::format(
        "POST {} HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        url.path, url.host, url.port, content_type, body.size());
    TRY(WriteAll(socket.get(), head, true, timeout));
    TRY(WriteAll(socket.get(), body, false, timeout));
    return ReadStatus(socket.get(), deadline);
}

}  // namespace espalier::http
