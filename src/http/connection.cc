#include "http/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "http/response_head.h"
#include "http/server_exchange.h"
#include "http/socket_io.h"

namespace espalier::http {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kInputBytes = kHeadBytesMax;
/// A request's memory is kept for the next one on its connection up to this size.
constexpr std::size_t kKeptBodyBytesMax = 1 << 20;
/// The body's first allocation trusts its Content-Length no further than this.
constexpr std::size_t kFirstBodyBytesMax = 1 << 20;
/// How long a peer may take to read the last answer before the connection is cut under what it still sends.
constexpr std::chrono::seconds kLingerTimeout{5};
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

Connection::Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<Loop> loop)
    : loop_(std::move(loop)),
      shared_(loop_->shared),
      socket_(std::move(socket)),
      fd_(socket_.native_handle()),
      in_(std::make_unique_for_overwrite<char[]>(kInputBytes)) {}

Connection::~Connection() {
    delete spare_.load();
}

void Connection::Start() {
    boost::system::error_code error;
    socket_.non_blocking(true, error);
    socket_.set_option(boost::asio::ip::tcp::no_delay(true), error);
    auto peer = socket_.remote_endpoint(error);
    if (!error) remote_address_ = peer.address().to_string(error);
    loop_->connections.insert(shared_from_this());
    registered_ = true;
    NextRequest();
    Advance();
}

// ---- input, on the loop -------------------------------------------------------------------------------------------

void Connection::NextRequest() {
    if (shared_->draining) return Close();
    state_ = State::kIdle;
    deadline_ = loop_->now + shared_->options.idle_timeout;
    scanned_ = in_begin_;
}

void Connection::Advance() {
    while (true) {
        switch (state_) {
            case State::kIdle:
            case State::kHead: {
                Taken taken = TakeHead();
                if (taken == Taken::kNeedMore) return ReadIntoBuffer();
                if (taken == Taken::kAnswered) return;
                if (!PlanBody()) return;
                break;
            }
            case State::kBody: {
                bool complete = body_.chunked ? TakeChunkedBody() : TakeBody();
                if (state_ != State::kBody) return;  // refused
                if (complete) {
                    Dispatch();
                    if (state_ == State::kHandling) return;
                } else {
                    return body_.chunked ? ReadIntoBuffer() : ReadIntoBody();
                }
                break;
            }
            case State::kDraining:
                if (!TakeDrained()) return ReadIntoBuffer();
                if (state_ != State::kDraining) return;
                NextRequest();
                break;
            case State::kLingering:
                in_begin_ = in_end_ = 0;
                return ReadIntoBuffer();
            case State::kHandling:
            case State::kWriting:
            case State::kClosed:
                return;
        }
    }
}

/// Looks for the empty line that ends the head; sees bare line feeds at once instead of waiting for more.
Connection::Taken Connection::TakeHead() {
    if (state_ == State::kIdle && in_end_ - in_begin_ >= 2 && in_[in_begin_] == '\r' && in_[in_begin_ + 1] == '\n') {
        in_begin_ += 2;  // RFC 9112 2.2: an empty line before a request is ignored
        scanned_ = in_begin_;
    }
    if (in_begin_ == in_end_ || (state_ == State::kIdle && input() == "\r")) return Taken::kNeedMore;
    if (state_ == State::kIdle) {
        state_ = State::kHead;
        deadline_ = loop_->now + shared_->options.header_timeout;
    }
    const char* base = in_.get();
    while (scanned_ < in_end_) {
        const void* found = std::memchr(base + scanned_, '\n', in_end_ - scanned_);
        if (found == nullptr) {
            scanned_ = in_end_;
            break;
        }
        std::size_t feed = static_cast<std::size_t>(static_cast<const char*>(found) - base);
        if (feed == in_begin_ || base[feed - 1] != '\r') {
            Refuse(400, "Lines must end with CR LF.", true);
            return Taken::kAnswered;
        }
        scanned_ = feed + 1;
        if (feed >= in_begin_ + 3 && base[feed - 2] == '\n') {
            std::string_view head(base + in_begin_, scanned_ - in_begin_);
            in_begin_ = scanned_;
            return BeginRequest(head);
        }
    }
    if (in_end_ - in_begin_ >= kHeadBytesMax) {
        Refuse(431, "The request's head is too large.", true);
        return Taken::kAnswered;
    }
    return Taken::kNeedMore;
}

Connection::Taken Connection::BeginRequest(std::string_view head_bytes) {
    request_ = TakeSpare();
    if (request_ == nullptr) request_ = std::make_unique<Request>(shared_);
    if (std::optional<HeadError> error = ParseHead(head_bytes, request_->parsed)) {
        Refuse(error->status, error->message, true);
        return Taken::kAnswered;
    }
    ParsedHead& parsed = request_->parsed;
    parsed.head.remote_address = remote_address_;
    head_request_ = parsed.head.method == "HEAD";
    http_1_0_ = parsed.http_1_0;
    close_after_ = !parsed.keep_alive;
    body_ = BodyState{.chunked = parsed.head.chunked,
                      .bytes_left = parsed.head.content_length.value_or(0),
                      .decoder = {},
                      .wants_continue = parsed.head.expects_continue,
                      .failed = false};
    return Taken::kAll;
}

/// Asks the handler how it wants the body. False when the request was dispatched and is not answered yet.
bool Connection::PlanBody() {
    BodyPlan plan = shared_->handler.Plan(request_->parsed.head);
    request_->mode = plan.mode;
    body_bytes_max_ = plan.max_body_bytes;
    state_ = State::kBody;
    progress_bytes_ = 0;
    stall_budget_ = shared_->options.body_stall_timeout;
    deadline_ = loop_->now + stall_budget_;
    bool dispatch_now = plan.mode == BodyPlan::kStreamed || body_.done();
    if (plan.mode != BodyPlan::kStreamed && !body_.chunked && body_.bytes_left > body_bytes_max_) {
        request_->body_too_large = true;
        close_after_ = true;
        dispatch_now = true;
    }
    if (dispatch_now) {
        Dispatch();
        return state_ != State::kHandling && state_ != State::kClosed;
    }
    if (body_.wants_continue && in_begin_ == in_end_ && !SendContinue()) {
        Close();
        return false;
    }
    return true;
}

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

void Connection::ReadIntoBuffer() {
    if (in_begin_ == in_end_) {
        scanned_ = in_begin_ = in_end_ = 0;
    } else if (in_end_ == kInputBytes) {
        std::memmove(in_.get(), in_.get() + in_begin_, in_end_ - in_begin_);
        scanned_ -= std::min(scanned_, in_begin_);
        in_end_ -= in_begin_;
        in_begin_ = 0;
    }
    socket_.async_read_some(boost::asio::buffer(in_.get() + in_end_, kInputBytes - in_end_),
                            [self = shared_from_this()](const boost::system::error_code& error, std::size_t num_bytes) {
                                if (self->state_ == State::kClosed) return;
                                if (error) return self->Close();
                                self->in_end_ += num_bytes;
                                self->OnRead(num_bytes);
                            });
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

void Connection::OnRead(std::size_t num_bytes) {
    if (state_ == State::kBody || state_ == State::kDraining) NoteProgress(num_bytes);
    Advance();
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

// ---- the handler --------------------------------------------------------------------------------------------------

void Connection::Dispatch() {
    state_ = State::kHandling;
    BodyPlan::Mode mode = request_->mode;
    answered_inline_ = false;
    auto exchange = std::make_shared<ServerExchange>(shared_from_this(), std::move(request_));
    Connection* outer = std::exchange(loop_->dispatching, this);
    if (mode == BodyPlan::kBuffered) {
        shared_->handler.Handle(std::move(exchange));
    } else {
        ThreadPool& pool = mode == BodyPlan::kWorker ? shared_->workers : shared_->stream_workers;
        bool accepted =
            pool.TrySubmit([exchange, &handler = shared_->handler]() mutable { handler.Handle(std::move(exchange)); });
        if (!accepted) {
            Response busy{.status = 503, .headers = {}, .body = "The server is busy; try again.\n"};
            busy.headers.Add("Content-Type", "text/plain; charset=utf-8");
            busy.headers.Add("Retry-After", "1");
            exchange->Send(std::move(busy));
        }
        exchange.reset();
    }
    loop_->dispatching = outer;
    if (answered_inline_) AfterAnswer();
}

std::unique_ptr<Request> Connection::TakeSpare() {
    return std::unique_ptr<Request>(spare_.exchange(nullptr));
}

void Connection::Recycle(std::unique_ptr<Request> request) {
    if (request->body.capacity > kKeptBodyBytesMax) request->body.Free();
    request->body.size = 0;
    request->body_too_large = false;
    request->parsed = {};
    delete spare_.exchange(request.release());
}

// ---- by the holder of the exchange --------------------------------------------------------------------------------

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

void Connection::BuildAnswer(Response& response, std::uint64_t body_bytes) {
    // The rest of a body is dropped if that is cheap and the client surely sends it; a client that waits for "100
    // Continue" may or may not, so only closing is safe.
    bool can_drain = !body_.failed && !body_.wants_continue && (body_.chunked || body_.bytes_left <= kDrainBytesMax);
    if (!body_.done() && !can_drain) close_after_ = true;
    if (shared_->draining || EqualsIgnoreCase(response.headers.Get("Connection"), "close")) close_after_ = true;
    out_head_.clear();
    out_body_.clear();
    out_written_ = 0;
    AppendResponseHead(response, body_bytes,
                       {.head_request = head_request_, .close = close_after_, .http_1_0 = http_1_0_}, out_head_);
}

void Connection::Send(Response response) {
    if (cut_) return;
    BuildAnswer(response, response.body.size());
    if (!head_request_ && StatusHasBody(response.status)) out_body_ = std::move(response.body);
    WriteSome();
    Answered();
}

Result<void> Connection::SendFile(Response response, int fd, std::uint64_t offset, std::uint64_t size_bytes) {
    if (cut_) return Error(ErrorCode::kIo, "the connection is closed");
    BuildAnswer(response, size_bytes);
    if (head_request_ || !StatusHasBody(response.status)) size_bytes = 0;
    Result<void> written = WriteAll(fd_, out_head_, size_bytes > 0, shared_->options.write_stall_timeout);
    if (written) written = WriteFile(fd_, fd, offset, size_bytes, shared_->options.write_stall_timeout);
    broken_ = !written.has_value();
    out_written_ = out_head_.size();
    Answered();
    return written;
}

/// Hands the connection back to its loop.
void Connection::Answered() {
    if (std::this_thread::get_id() == loop_->thread.get_id() && loop_->dispatching == this) {
        answered_inline_ = true;
    } else {
        boost::asio::post(loop_->io, [self = shared_from_this()] {
            if (self->state_ != State::kHandling) return;
            self->AfterAnswer();
            self->Advance();
        });
    }
}

/// Writes what the socket takes. True when nothing is left or the peer is gone (broken_).
bool Connection::WriteSome() {
    while (true) {
        iovec parts[2];
        std::size_t num_parts = 0;
        std::size_t skip = out_written_;
        for (std::string* part : {&out_head_, &out_body_}) {
            std::size_t skipped = std::min(skip, part->size());
            skip -= skipped;
            if (skipped < part->size()) parts[num_parts++] = {part->data() + skipped, part->size() - skipped};
        }
        if (num_parts == 0) return true;
        msghdr message{};
        message.msg_iov = parts;
        message.msg_iovlen = num_parts;
        ssize_t num = sendmsg(fd_, &message, MSG_NOSIGNAL);
        if (num > 0) {
            out_written_ += static_cast<std::size_t>(num);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return false;
        } else if (errno != EINTR) {
            broken_ = true;
            return true;
        }
    }
}

// ---- after the answer, on the loop --------------------------------------------------------------------------------

void Connection::AfterAnswer() {
    if (broken_) return Close();
    if (out_written_ == out_head_.size() + out_body_.size()) return FinishAnswer();
    if (state_ != State::kWriting || out_written_ - out_noted_ >= kBodyProgressBytesMin) {
        out_noted_ = out_written_;
        deadline_ = loop_->now + shared_->options.write_stall_timeout;
    }
    state_ = State::kWriting;
    socket_.async_wait(boost::asio::socket_base::wait_write,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                           if (self->state_ != State::kWriting) return;
                           if (error) return self->Close();
                           self->WriteSome();
                           self->AfterAnswer();
                           self->Advance();
                       });
}

/// Leaves the state that Advance goes on from.
void Connection::FinishAnswer() {
    constexpr std::size_t kKeptAnswerBytesMax = 64 * 1024;
    if (out_body_.capacity() > kKeptAnswerBytesMax) out_body_ = {};
    if (close_after_) return Linger();
    if (body_.done()) return NextRequest();
    state_ = State::kDraining;
    drained_bytes_ = 0;
    progress_bytes_ = 0;
    deadline_ = loop_->now + shared_->options.body_stall_timeout;
}

/// Ends the connection without the reset that would destroy an answer the peer has not read yet.
void Connection::Linger() {
    if (body_.done() && !body_.failed && in_begin_ == in_end_) return Close();
    shutdown(fd_, SHUT_WR);
    state_ = State::kLingering;
    deadline_ = loop_->now + kLingerTimeout;
}

/// The server's own answer to a request that no handler sees. With `linger`, the state is left for Advance to go on.
void Connection::Refuse(int status, std::string_view message, bool linger) {
    out_head_ = PlainAnswer(status, message);
    out_body_.clear();
    out_written_ = 0;
    close_after_ = true;
    body_.failed = true;
    bool written = WriteSome();
    if (!linger || !written || broken_) return Close();
    Linger();
    in_begin_ = in_end_ = 0;
    ReadIntoBuffer();
}

void Connection::Close() {
    if (state_ == State::kClosed) return;
    state_ = State::kClosed;
    cut_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
    if (registered_) {
        registered_ = false;
        auto self = shared_from_this();
        loop_->connections.erase(self);
        shared_->Closed();
    }
}

void Connection::OnSweep() {
    // Memory is kept between requests that follow each other, not by connections that wait.
    if (state_ == State::kIdle) TakeSpare();
    if (state_ == State::kHandling || state_ == State::kClosed || loop_->now < deadline_) return;
    if (state_ == State::kHead) return Refuse(408, "The request's head took too long.", false);
    if (state_ == State::kBody) return Refuse(408, "The request's body took too long.", false);
    Close();
}

void Connection::OnDrain() {
    if (state_ == State::kIdle) Close();
}

void Connection::OnCut() {
    if (state_ != State::kHandling) return Close();
    // The exchange's holder may be using the socket: break it, and let the last reference close it.
    cut_ = true;
    state_ = State::kClosed;
    shutdown(fd_, SHUT_RDWR);
    registered_ = false;
    auto self = shared_from_this();
    loop_->connections.erase(self);
    shared_->Closed();
}

}  // namespace espalier::http
