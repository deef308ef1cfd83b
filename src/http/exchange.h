// One HTTP request and its response, as handlers see them. Knows no product noun.
//
// Nouns: Headers, RequestHead, Response, Exchange, ResponseStream, Handler, BodyPlan.
// Life of a request: the listener reads the head -> Handler::Plan says how the body is to be had -> Handler::Handle is
// called once with the Exchange -> somebody calls Send, SendFile or BeginStream once, at once or later, from any
// thread. An Exchange that is destroyed unanswered answers 500 by itself, so no client is left hanging.
// Nothing outside http/ sees Beast or Asio.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace espalier::http {

/// For texts of one length.
bool EqualLettersIgnoreCase(std::string_view a, std::string_view b);
/// ASCII letters compare without case, every other byte as it is.
inline bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
    return a.size() == b.size() && EqualLettersIgnoreCase(a, b);
}

/// Header fields in the order received; names compare without case. Repeated names are kept as repeated entries. All
/// text lies in one string, so a field costs no allocation; views live as long as this object is not changed.
class Headers {
  public:
    using Field = std::pair<std::string_view, std::string_view>;  ///< name, value

    void Add(std::string_view name, std::string_view value);
    void Set(std::string_view name, std::string_view value);
    void Remove(std::string_view name);
    /// No fields any more; the memory is kept.
    void Clear();
    /// The first value of that name, or nullopt.
    std::optional<std::string_view> Find(std::string_view name) const;
    /// Find, or the fallback.
    std::string_view Get(std::string_view name, std::string_view fallback = "") const;
    bool Has(std::string_view name) const { return Find(name).has_value(); }
    std::size_t size() const { return places_.size(); }
    /// A range of Field.
    auto fields() const {
        return std::views::transform(places_, [this](const Place& place) { return FieldAt(place); });
    }

  private:
    /// The name and right behind it the value.
    struct Place {
        std::size_t begin;
        std::size_t name_bytes;
        std::size_t value_bytes;
    };
    Field FieldAt(const Place& place) const {
        const char* name = text_.data() + place.begin;
        return {{name, place.name_bytes}, {name + place.name_bytes, place.value_bytes}};
    }

    std::string text_;
    std::vector<Place> places_;
};

struct RequestHead {
    std::string method;
    /// The request target exactly as received, "/b/a%2Bb%20c?x=1": nothing decoded, collapsed or normalised, because
    /// signatures and S3 keys depend on each byte.
    std::string target;
    Headers headers;
    std::optional<std::uint64_t> content_length;  ///< nullopt when chunked or when there is no body at all
    bool chunked = false;                         ///< Transfer-Encoding: chunked; ReadBody undoes it
    bool expects_continue = false;
    std::string remote_address;
    std::chrono::steady_clock::time_point received_at;  ///< when the request was whole, or streamed, its head was

    /// The part of target before '?', still percent-encoded.
    std::string_view raw_path() const;
    /// The part after '?', still percent-encoded, or "".
    std::string_view raw_query() const;

    /// As new, but for the memory, which is kept for the next request.
    void Clear();
};

/// Content-Length and Connection are set by the server; Date and Server are added when absent.
struct Response {
    int status = 200;
    Headers headers;
    std::string body;
};

/// How a request's body is to be delivered and where its handler runs.
struct BodyPlan {
    enum Mode {
        kBuffered,  ///< body read whole by the I/O thread; Handle runs there and must not block (no disk, no SQL)
        kWorker,    ///< body read whole by the I/O thread; Handle runs on the worker pool and may block
        kStreamed,  ///< Handle runs on the worker pool at once and pulls the body with ReadBody
    };
    Mode mode = kWorker;
    std::size_t max_body_bytes = 1 << 20;  ///< not used by kStreamed
};

/// An answer given part by part, whose length nobody knows before its end: chunked, or to an HTTP/1.0 client up to the
/// close of the connection. One thread at a time.
class ResponseStream {
  public:
    /// Without End before it, cuts the connection: the client sees that the answer is not whole.
    virtual ~ResponseStream() = default;

    enum class Taken {
        kAll,    ///< by the socket: go on with the next part
        kLater,  ///< the client is slow: go on when `resume` is called
        kGone,   ///< nobody reads any more: stop
    };
    /// Never waits. After kLater the stream is the server's until it calls `resume`, once, from an I/O thread, so it
    /// must not block; whether the client is still there the next Write says. An empty part is nothing.
    virtual Taken Write(std::string part, std::function<void()> resume) = 0;

    /// The answer is whole. Nothing may follow.
    virtual void End() = 0;
};

class Exchange {
  public:
    virtual ~Exchange() = default;

    virtual const RequestHead& head() const = 0;
    /// What Handler::Plan chose for this request.
    virtual BodyPlan::Mode mode() const = 0;

    /// Not for BodyPlan::kStreamed: the whole body. Valid as long as the exchange.
    virtual std::string_view body() const = 0;
    /// Not for BodyPlan::kStreamed: the body was larger than BodyPlan::max_body_bytes; body() is empty, and the
    /// connection closes after the answer.
    virtual bool body_too_large() const = 0;

    /// BodyPlan::kStreamed only: the next bytes of the body with Transfer-Encoding undone; 0 at its end. Blocks, so
    /// only from a worker. The first call sends "100 Continue" if the client waits for it. kIo when the peer is gone or
    /// stalls for longer than the server's body time-out.
    virtual Result<std::size_t> ReadBody(std::span<char> out) = 0;

    /// Answers, from any thread, once. What is left of a streamed body is drained if small, else the connection closes.
    /// A HEAD request is answered with the headers and the Content-Length of `response.body`, or with the
    /// Content-Length header the handler set itself.
    virtual void Send(Response response) = 0;

    /// Answers with `response`'s head and `size_bytes` bytes of the open file `fd` from `offset` (sendfile). Blocks;
    /// only from a worker. Does not close fd.
    virtual Result<void> SendFile(Response response, int fd, std::uint64_t offset, std::uint64_t size_bytes) = 0;

    /// Answers with `head`, whose body is not looked at, and the parts that are written to the stream. From any thread;
    /// the head goes out with the first part. The request stays valid as long as the exchange is held.
    virtual std::unique_ptr<ResponseStream> BeginStream(Response head) = 0;
};

class Handler {
  public:
    virtual ~Handler() = default;
    /// Called on an I/O thread as soon as the head is read. Must not block.
    virtual BodyPlan Plan(const RequestHead& head) = 0;
    /// Takes the exchange over. Thread-safe: called from many threads at once.
    virtual void Handle(std::shared_ptr<Exchange> exchange) = 0;
    /// The same for two kBuffered requests that were whole at once on one I/O thread: a handler may work on them side
    /// by side.
    virtual void HandleBoth(std::shared_ptr<Exchange> first, std::shared_ptr<Exchange> second) {
        Handle(std::move(first));
        Handle(std::move(second));
    }
};

}  // namespace espalier::http
