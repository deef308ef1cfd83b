#include "http/socket_io.h"

#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "http/server.h"

namespace espalier::http {
namespace {

using std::chrono::steady_clock;

Result<void> WaitFor(int socket, short events, steady_clock::time_point deadline) {
    while (true) {
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
        pollfd entry{.fd = socket, .events = events, .revents = 0};
        int num_ready = poll(&entry, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
        if (num_ready > 0) return {};
        if (num_ready == 0 && left <= 0) return Error(ErrorCode::kUnavailable, "the peer stalled");
        if (num_ready < 0 && errno != EINTR) return ErrnoError("poll", errno);
    }
}

/// When the peer must have taken the next kBodyProgressBytesMin bytes of an answer.
class WriteDeadline {
  public:
    explicit WriteDeadline(std::chrono::milliseconds stall_timeout)
        : stall_timeout_(stall_timeout), deadline_(steady_clock::now() + stall_timeout) {}

    void NoteProgress(std::size_t num_bytes) {
        progress_bytes_ += num_bytes;
        if (progress_bytes_ >= kBodyProgressBytesMin) *this = WriteDeadline(stall_timeout_);
    }
    steady_clock::time_point time() const { return deadline_; }

  private:
    std::chrono::milliseconds stall_timeout_;
    steady_clock::time_point deadline_;
    std::size_t progress_bytes_ = 0;
};

bool WouldBlock() {
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

}  // namespace

Result<std::size_t> ReadSome(int socket, std::span<char> out, steady_clock::time_point deadline) {
    while (true) {
        ssize_t num = recv(socket, out.data(), out.size(), 0);
        if (num >= 0) return static_cast<std::size_t>(num);
        if (errno == EINTR) continue;
        if (!WouldBlock()) return ErrnoError("read from the peer", errno);
        TRY(WaitFor(socket, POLLIN, deadline));
    }
}

Result<void> WriteAll(int socket, std::string_view bytes, bool more, std::chrono::milliseconds stall_timeout) {
    WriteDeadline deadline(stall_timeout);
    while (!bytes.empty()) {
        ssize_t num = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (num > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(num));
            deadline.NoteProgress(static_cast<std::size_t>(num));
        } else if (errno == EINTR) {
            continue;
        } else if (WouldBlock()) {
            TRY(WaitFor(socket, POLLOUT, deadline.time()));
        } else {
            return ErrnoError("write to the peer", errno);
        }
    }
    return {};
}

Result<void> WriteFile(int socket, int fd, std::uint64_t offset, std::uint64_t size_bytes,
                       std::chrono::milliseconds stall_timeout) {
    auto position = static_cast<off_t>(offset);
    WriteDeadline deadline(stall_timeout);
    while (size_bytes > 0) {
        constexpr std::uint64_t kBytesPerCallMax = 1 << 20;
        ssize_t num = sendfile(socket, fd, &position, static_cast<std::size_t>(std::min(size_bytes, kBytesPerCallMax)));
        if (num > 0) {
            size_bytes -= static_cast<std::uint64_t>(num);
            deadline.NoteProgress(static_cast<std::size_t>(num));
        } else if (num == 0) {
            return Error(ErrorCode::kCorruptData, "the file is shorter than was announced");
        } else if (errno == EINTR) {
            continue;
        } else if (WouldBlock()) {
            TRY(WaitFor(socket, POLLOUT, deadline.time()));
        } else {
            return ErrnoError("send the file to the peer", errno);
        }
    }
    return {};
}

}  // namespace espalier::http
