#include "jobs/pipe_feed.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/fs.h"
#include "base/log.h"

namespace espalier::jobs {
namespace {

constexpr std::size_t kCopyBytes = std::size_t{256} << 10;
constexpr int kStopIntervalMs = 100;  // How late a full pipe notices the end.

}  // namespace

Result<std::unique_ptr<PipeFeed>> PipeFeed::Create(Source source) {
    ::unlink(source.pipe_path.c_str());  // That of a launch before.
    if (::mkfifo(source.pipe_path.c_str(), 0600) != 0) return ErrnoError("make the pipe " + source.pipe_path, errno);
    std::unique_ptr<PipeFeed> feed(new PipeFeed(std::move(source)));
    feed->thread_ = std::thread([raw = feed.get()] { raw->Run(); });
    return feed;
}

PipeFeed::~PipeFeed() {
    stop_ = true;
    // A thread that still waits for a reader gets one.
    const Fd reader(::open(source_.pipe_path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    thread_.join();
}

void PipeFeed::Break(const std::string& what) {
    LOG_ERROR("a channel in Pipe mode breaks off", {"error", ErrnoError(what, errno).ToString()});
    broken_ = true;
}

void PipeFeed::Run() {
    const Fd pipe(::open(source_.pipe_path.c_str(), O_WRONLY | O_CLOEXEC));  // Waits for a reader.
    if (!pipe.is_open()) {
        return Break("open " + source_.pipe_path);
    }
    ::fcntl(pipe.get(), F_SETFL, O_NONBLOCK);
    sigset_t broken_pipe;  // A reader that has gone is an error of write(), not the end of the server.
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    for (const std::string& path : source_.files) {
        if (!CopyFile(pipe.get(), path)) return;
    }
}

bool PipeFeed::CopyFile(int pipe, const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) {
        Break("open " + path);
        return false;
    }
    std::vector<char> bytes(kCopyBytes);
    char last = '\n';
    for (;;) {
        const ssize_t got = ::read(file.get(), bytes.data(), bytes.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            Break("read " + path);
            return false;
        }
        if (got == 0) break;
        last = bytes[static_cast<std::size_t>(got) - 1];
        if (!Write(pipe, bytes.data(), static_cast<std::size_t>(got))) return false;
    }
    return !source_.end_lines || last == '\n' || Write(pipe, "\n", 1);
}

bool PipeFeed::Write(int pipe, const char* bytes, std::size_t size) {
    while (size > 0) {
        if (stop_) return false;
        const ssize_t written = ::write(pipe, bytes, size);
        if (written > 0) {
            bytes += written;
            size -= static_cast<std::size_t>(written);
        } else if (errno == EAGAIN) {
            pollfd room = {.fd = pipe, .events = POLLOUT, .revents = 0};
            ::poll(&room, 1, kStopIntervalMs);
        } else if (errno != EINTR) {
            return false;  // EPIPE: the instance has ended, or has read enough.
        }
    }
    return true;
}

}  // namespace espalier::jobs
