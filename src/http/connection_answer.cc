// A connection's answers: written at once as far as the socket takes them, the rest by the loop; then the next request,
// the rest of the body, or the end.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "http/connection.h"
#include "http/response_head.h"
#include "http/socket_io.h"

namespace espalier::http {
namespace {

/// How long a peer may take to read the last answer before the connection is cut under what it still sends.
constexpr std::chrono::seconds kLingerTimeout{5};

}  // namespace

// ---- by the holder of the exchange ---------------------------------------------------------------------------------

void Connection::BuildAnswer(Response& response, std::optional<std::uint64_t> body_bytes) {
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
    if (std::this_thread::get_id() == loop_->thread.get_id() && handling_here_) {
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

// ---- on the loop ---------------------------------------------------------------------------------------------------

void Connection::AfterAnswer() {
    if (broken_) return Close();
    if (AllWritten()) return FinishAnswer();
    WriteWhenReady(State::kWriting, &Connection::AfterAnswer);
}

/// Writes on, in that state, when the peer takes more; then calls `then`. Closes when it takes too little for too long.
void Connection::WriteWhenReady(State state, void (Connection::*then)()) {
    if (state_ != state || out_written_ - out_noted_ >= kBodyProgressBytesMin) {
        out_noted_ = out_written_;
        deadline_ = loop_->now + shared_->options.write_stall_timeout;
    }
    state_ = state;
    socket_.async_wait(boost::asio::socket_base::wait_write,
                       [self = shared_from_this(), state, then](const boost::system::error_code& error) {
                           if (self->state_ != state) return;
                           if (error) return self->Close();
                           self->WriteSome();
                           (self.get()->*then)();
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

}  // namespace espalier::http
