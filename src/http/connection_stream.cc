// A connection's answers in parts. The holder of the exchange writes each part as far as the socket takes it; the rest
// is the loop's to write, which then tells the holder to go on. So nobody waits for a slow client, and no more than one
// part of an answer is in memory.
#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <iterator>
#include <utility>

#include "http/connection.h"
#include "http/response_head.h"

namespace espalier::http {

using PartTaken = ResponseStream::Taken;

// ---- by the holder of the exchange ---------------------------------------------------------------------------------

void Connection::BeginStream(Response head) {
    if (cut_) return;
    if (http_1_0_) close_after_ = true;
    BuildAnswer(head, std::nullopt);
    part_framed_ = !http_1_0_;
    part_dropped_ = head_request_ || !StatusHasBody(head.status);
}

PartTaken Connection::WritePart(std::string part, std::function<void()> resume) {
    if (cut_ || broken_) return PartTaken::kGone;
    if (part.empty() || part_dropped_) return PartTaken::kAll;
    if (part_framed_) {
        fmt::format_to(std::back_inserter(out_head_), "{:x}\r\n", part.size());
        part.append("\r\n");
    }
    out_body_ = std::move(part);
    if (WriteSome()) {
        if (broken_) return PartTaken::kGone;
        out_head_.clear();
        out_body_.clear();
        out_written_ = 0;
        return PartTaken::kAll;
    }
    resume_ = std::move(resume);
    boost::asio::post(loop_->io, [self = shared_from_this()] {
        if (self->state_ != State::kHandling) return self->Resume();  // cut meanwhile
        self->AfterPart();
    });
    return PartTaken::kLater;
}

void Connection::EndStream() {
    if (cut_) return;
    if (part_framed_ && !part_dropped_) out_body_ = "0\r\n\r\n";
    WriteSome();
    Answered();
}

void Connection::BreakStream() {
    if (cut_) return;
    broken_ = true;
    Answered();
}

// ---- on the loop ---------------------------------------------------------------------------------------------------

void Connection::AfterPart() {
    if (broken_) return Close();
    if (!AllWritten()) return WriteWhenReady(State::kWritingPart, &Connection::AfterPart);
    out_head_.clear();
    out_body_.clear();
    out_written_ = 0;
    state_ = State::kHandling;
    Resume();
}

/// Gives the stream back to its holder, if it was lent.
void Connection::Resume() {
    if (auto resume = std::exchange(resume_, nullptr)) resume();
}

}  // namespace espalier::http
