// An HTTP/1.1 server for one Handler. Knows no product noun. No TLS.
//
// Nouns: ServerOptions, Server; a loop is one I/O thread with its own epoll set, a connection belongs to one loop for
// life. Life of a connection: accepted (the loops take turns) -> head read and parsed on the loop -> Handler::Plan ->
// body read on the loop, unless streamed -> Handler::Handle on the loop or on a worker -> answer written by whatever
// thread sends it, what does not fit the socket at once by the loop -> next request. Requests sent ahead (pipelining)
// wait in the buffer: one request at a time is handled per connection, in order. Limits are options with named
// defaults; breaking one gets 408, 413, 414, 431 or 503 and the connection closes. Slow peers: a sweep of each loop
// closes connections that are past their deadline, so no request costs a timer. Source: RFC 9110, RFC 9112.
// Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/exchange.h"

namespace espalier::http {

struct ServerOptions {
    std::string address = "127.0.0.1";  ///< an IPv4 or IPv6 address, not a name
    std::uint16_t port = 0;             ///< 0: any free one
    std::size_t num_io_threads = 2;
    std::size_t num_workers = 16;         ///< threads for BodyPlan::kWorker
    std::size_t num_stream_workers = 64;  ///< threads for BodyPlan::kStreamed: a slow upload occupies one of these only
    std::size_t queued_requests_max = 1024;  ///< waiting for a thread, in each of the two pools; more get 503 at once
    std::size_t connections_max = 8192;      ///< open at once; more get 503 at once
    std::size_t buffered_bytes_max = std::size_t{1} << 30;  ///< of all buffered bodies together; more get 503
    std::chrono::milliseconds header_timeout{10'000};       ///< from a head's first byte to its last
    std::chrono::milliseconds idle_timeout{60'000};         ///< between requests, and before the first
    std::chrono::milliseconds body_stall_timeout{30'000};   ///< for each kBodyProgressBytesMin of a request's body
    std::chrono::milliseconds write_stall_timeout{30'000};  ///< for each kBodyProgressBytesMin of an answer
};

/// Within a stall time-out at least so much of a body (or its end) must pass: a byte now and then is a stall too.
inline constexpr std::size_t kBodyProgressBytesMin = 4 * 1024;
/// What a handler left unread of a body is read and dropped up to this size, to keep the connection; else it closes.
inline constexpr std::size_t kDrainBytesMax = 256 * 1024;

class Server {
  public:
    /// Listens and serves from then on. `handler` must outlive the server. kInvalidArgument for an address that is
    /// none; kIo when the port is taken.
    static Result<std::unique_ptr<Server>> Start(ServerOptions options, Handler& handler);

    /// Stop(0 s).
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// The port listened on, the real one if 0 was asked for.
    std::uint16_t port() const;
    std::size_t num_connections() const;

    /// Drains: stops accepting, closes idle connections, answers what is in flight with "Connection: close", and after
    /// `grace` cuts whatever is left. Returns when no connection is open and the worker threads have ended. A second
    /// call does nothing. An Exchange held elsewhere stays safe to use: its answer goes nowhere.
    void Stop(std::chrono::milliseconds grace);

  private:
    class Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace espalier::http
