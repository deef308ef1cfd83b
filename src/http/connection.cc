#include "http/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "http/server_exchange.h"

namespace espalier::http {
namespace {

/// A request's memory is kept for the next one on its connection up to this size.
constexpr std::size_t kKeptBodyBytesMax = 1 << 20;

}  // namespace

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

// ---- requests, on the loop -----------------------------------------------------------------------------------------

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
                if (complete) return Dispatch();
                return body_.chunked ? ReadIntoBuffer() : ReadIntoBody();
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
            case State::kWritingPart:
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

/// Asks the handler how it wants the body. False when the request was dispatched or the connection is closed.
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
        return false;
    }
    if (body_.wants_continue && in_begin_ == in_end_ && !SendContinue()) {
        Close();
        return false;
    }
    return true;
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

void Connection::OnRead(std::size_t num_bytes) {
    loop_->shared->spread.Begin(loop_->number);
    if (state_ == State::kBody || state_ == State::kDraining) NoteProgress(num_bytes);
    Advance();
    if (state_ == State::kBody) loop_->bodies_grew = true;
}

// ---- the handler ---------------------------------------------------------------------------------------------------

void Connection::Dispatch() {
    state_ = State::kHandling;
    BodyPlan::Mode mode = request_->mode;
    request_->parsed.head.received_at = std::chrono::steady_clock::now();
    auto exchange = std::make_shared<ServerExchange>(shared_from_this(), std::move(request_));
    if (mode == BodyPlan::kBuffered) return loop_->AddWhole(shared_from_this(), std::move(exchange));
    ThreadPool& pool = mode == BodyPlan::kWorker ? shared_->workers : shared_->stream_workers;
    bool accepted =
        pool.TrySubmit([exchange, &handler = shared_->handler]() mutable { handler.Handle(std::move(exchange)); });
    if (accepted) return;
    Response busy{.status = 503, .headers = {}, .body = "The server is busy; try again.\n"};
    busy.headers.Add("Content-Type", "text/plain; charset=utf-8");
    busy.headers.Add("Retry-After", "1");
    exchange->Send(std::move(busy));
}

void Connection::OnHandling() {
    handling_here_ = true;
    answered_inline_ = false;
}

void Connection::OnHandled() {
    handling_here_ = false;
    if (!answered_inline_ || state_ != State::kHandling) return;
    AfterAnswer();
    Advance();
}

std::unique_ptr<Request> Connection::TakeSpare() {
    return std::unique_ptr<Request>(spare_.exchange(nullptr));
}

void Connection::Recycle(std::unique_ptr<Request> request) {
    if (request->body.capacity > kKeptBodyBytesMax) request->body.Free();
    request->body.size = 0;
    request->body_too_large = false;
    request->parsed.Clear();
    delete spare_.exchange(request.release());
}

// ---- the end -------------------------------------------------------------------------------------------------------

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
    Resume();
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
