// A connection's request bodies: taken into memory by the loop before the handler runs, read by the holder of the
// exchange, or dropped after the answer.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "http/connection.h"
#include "http/socket_io.h"

namespace espalier::http {
namespace {

using std::chrono::steady_clock;

/// The body's first allocation trusts its Content-Length no further than this.
constexpr std::size_t kFirstBodyBytesMax = 1 << 20;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

bool BodyBuffer::Reserve(std::size_t wanted_bytes) {
    if (wanted_bytes <= capacity) return true;
    if (!shared->TryTakeBuffer(wanted_bytes - capacity)) return false;
    auto larger = std::make_unique_for_overwrite<char[]>(wanted_bytes);
    if (size > 0) std::memcpy(larger.get(), data.get(), size);
    data = std::move(larger);
    capacity = wanted_bytes;
    return true;
}

void BodyBuffer::Free() {
    data.reset();
    shared->GiveBackBuffer(std::exchange(capacity, 0));
    size = 0;
}

// ---- on the loop ---------------------------------------------------------------------------------------------------

bool Connection::SendContinue() {
    body_.wants_continue = false;
    // A fresh answer always fits the socket's buffer; if it does not, the peer has not read anything for long.
    return send(fd_, kContinue.data(), kContinue.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(kContinue.size());
}

/// False when the request was refused because too many bytes are buffered already.
bool Connection::GrowBody(std::size_t wanted_bytes) {
    if (request_->body.Reserve(wanted_bytes)) return true;
    Refuse(503, "The server has too many requests in memory; try again.", true);
    return false;
}

bool Connection::TakeBody() {
    BodyBuffer& body = request_->body;
    std::size_t whole = body.size + static_cast<std::size_t>(body_.bytes_left);
    if (!GrowBody(std::min(whole, kFirstBodyBytesMax))) return false;
    if (body.size == body.capacity && !GrowBody(std::min(whole, body.capacity * 2))) return false;
    std::size_t num = std::min({input().size(), static_cast<std::size_t>(body_.bytes_left), body.capacity - body.size});
    if (num > 0) {
        std::memcpy(body.data.get() + body.size, input().data(), num);
        body.size += num;
        body_.bytes_left -= num;
        in_begin_ += num;
    }
    return body_.bytes_left == 0;
}

bool Connection::TakeChunkedBody() {
    BodyBuffer& body = request_->body;
    while (!input().empty() && !body_.decoder.done()) {
        // One byte more than allowed tells "exactly full" from "too large".
        if (body.size == body.capacity &&
            !GrowBody(std::min(std::max(body.capacity * 2, kInputBytes), body_bytes_max_ + 1))) {
            return false;
        }
        ChunkedDecoder::Step step =
            body_.decoder.Decode(input(), {body.data.get() + body.size, body.capacity - body.size});
        in_begin_ += step.consumed;
        body.size += step.produced;
        if (body_.decoder.failed()) {
            Refuse(400, "The chunked body is malformed.", true);
            return false;
        }
        if (body.size > body_bytes_max_) {
            body.size = 0;
            request_->body_too_large = true;
            close_after_ = true;
            return true;
        }
    }
    return body_.decoder.done();
}

void Connection::ReadIntoBody() {
    BodyBuffer& body = request_->body;
    std::size_t room = std::min(static_cast<std::size_t>(body_.bytes_left), body.capacity - body.size);
    socket_.async_read_some(boost::asio::buffer(body.data.get() + body.size, room),
                            [self = shared_from_this()](const boost::system::error_code& error, std::size_t num_bytes) {
                                if (self->state_ == State::kClosed) return;
                                if (error) return self->Close();
                                // A refusal by the sweep meanwhile has moved the connection on; these bytes are then
                                // dropped.
                                if (self->state_ == State::kBody) {
                                    self->request_->body.size += num_bytes;
                                    self->body_.bytes_left -= num_bytes;
                                }
                                self->OnRead(num_bytes);
                            });
}

void Connection::NoteProgress(std::size_t num_bytes) {
    progress_bytes_ += num_bytes;
    if (progress_bytes_ < kBodyProgressBytesMin) return;
    progress_bytes_ = 0;
    deadline_ = loop_->now + shared_->options.body_stall_timeout;
}

/// Drops what the handler left of the body. True when the next request begins, or the connection was closed.
bool Connection::TakeDrained() {
    char dropped[4096];
    while (!body_.done() && !input().empty()) {
        std::size_t consumed = 0;
        if (body_.chunked) {
            consumed = body_.decoder.Decode(input(), dropped).consumed;
        } else {
            consumed = static_cast<std::size_t>(std::min<std::uint64_t>(input().size(), body_.bytes_left));
            body_.bytes_left -= consumed;
        }
        in_begin_ += consumed;
        drained_bytes_ += consumed;
        if (drained_bytes_ > kDrainBytesMax || (body_.chunked && body_.decoder.failed())) {
            Close();
            return true;
        }
    }
    return body_.done();
}

// ---- by the holder of the exchange ---------------------------------------------------------------------------------

Result<std::size_t> Connection::ReadBody(std::span<char> out) {
    if (out.empty() || (body_.done() && !body_.failed)) return std::size_t{0};
    if (body_.failed) return Error(ErrorCode::kIo, "the request's body is broken");
    Result<std::size_t> num = ReadBodyBytes(out);
    if (!num) body_.failed = true;
    return num;
}

Result<std::size_t> Connection::ReadBodyBytes(std::span<char> out) {
    if (body_.wants_continue && input().empty()) {
        TRY(WriteAll(fd_, kContinue, false, shared_->options.write_stall_timeout));
    }
    body_.wants_continue = false;
    while (true) {
        std::size_t produced = 0;
        if (body_.chunked) {
            ChunkedDecoder::Step step = body_.decoder.Decode(input(), out);
            in_begin_ += step.consumed;
            produced = step.produced;
            if (body_.decoder.failed()) return Error(ErrorCode::kInvalidArgument, "the chunked body is malformed");
        } else {
            auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), body_.bytes_left));
            produced = std::min(input().size(), wanted);
            std::memcpy(out.data(), input().data(), produced);
            in_begin_ += produced;
            if (produced == 0) {
                produced = TRY(ReadWithinBudget(out.first(wanted)));
                if (produced == 0) return Error(ErrorCode::kIo, "the peer closed the connection within the body");
            }
            body_.bytes_left -= produced;
        }
        if (produced > 0 || body_.done()) return produced;
        scanned_ = in_begin_ = in_end_ = 0;  // the decoder has taken all input
        in_end_ = TRY(ReadWithinBudget({in_.get(), kInputBytes}));
        if (in_end_ == 0) return Error(ErrorCode::kIo, "the peer closed the connection within the body");
    }
}

/// Only the time spent waiting for the peer counts against it, not what the handler does between two reads.
Result<std::size_t> Connection::ReadWithinBudget(std::span<char> out) {
    steady_clock::time_point start = steady_clock::now();
    std::size_t num = TRY(ReadSome(fd_, out, start + stall_budget_));
    progress_bytes_ += num;
    if (progress_bytes_ >= kBodyProgressBytesMin) {
        progress_bytes_ = 0;
        stall_budget_ = shared_->options.body_stall_timeout;
    } else {
        stall_budget_ -= std::min(stall_budget_, steady_clock::now() - start);
    }
    return num;
}

}  // namespace espalier::http
