#include "http/connect.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <memory>

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

Result<Fd> Connect(const HttpUrl& url, Deadline deadline) {
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

}  // namespace espalier::http
