#include "jobs/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

namespace espalier::jobs {
namespace {

constexpr rlim_t kOpenFilesMax = 4096;
constexpr unsigned kCloseRangeCloexec = 4;  // CLOSE_RANGE_CLOEXEC of linux/close_range.h

/// Which step between fork and exec failed, sent through a pipe.
enum class Step : int { kSession, kParent, kOutput, kFolder, kLimits, kExec };

struct Failure {
    Step step;
    int errno_value;
};

std::string_view NameOf(Step step) {
    switch (step) {
        case Step::kSession:
            return "setsid";
        case Step::kParent:
            return "prctl";
        case Step::kOutput:
            return "open the log";
        case Step::kFolder:
            return "chdir";
        case Step::kLimits:
            return "setrlimit";
        case Step::kExec:
            return "exec";
    }
    return "start";
}

/// What the child needs, laid out before fork: it must not allocate.
struct Prepared {
    std::vector<char*> arguments;
    std::vector<char*> environment;
    const char* output_path;
    const char* working_folder;
    rlim_t data_bytes_max;
    rlim_t file_bytes_max;
    pid_t parent;
    int failure_pipe;
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

[[noreturn]] void Fail(const Prepared& prepared, Step step) {
    const Failure failure = {.step = step, .errno_value = errno};
    [[maybe_unused]] const ssize_t written = write(prepared.failure_pipe, &failure, sizeof failure);
    _exit(127);
}

bool Limit(decltype(RLIMIT_CORE) resource, rlim_t value) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0) return false;
    limit.rlim_cur = std::min(value, limit.rlim_max);
    limit.rlim_max = limit.rlim_cur;
    return setrlimit(resource, &limit) == 0;
}

/// Runs in the child, after fork. System calls only.
[[noreturn]] void BecomeChild(const Prepared& prepared) {
    if (setsid() < 0) Fail(prepared, Step::kSession);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) Fail(prepared, Step::kParent);
    // The parent may have died between fork and prctl.
    if (getppid() != prepared.parent) _exit(127);
    struct sigaction fallback {};
    fallback.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &fallback, nullptr);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int null = open("/dev/null", O_RDONLY);
    const int output = open(prepared.output_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (null < 0 || output < 0) Fail(prepared, Step::kOutput);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    syscall(SYS_close_range, 3U, ~0U, kCloseRangeCloexec);
    if (chdir(prepared.working_folder) != 0) Fail(prepared, Step::kFolder);
    const bool limited = Limit(RLIMIT_CORE, 0) && Limit(RLIMIT_NOFILE, kOpenFilesMax) &&
                         (prepared.data_bytes_max == 0 || Limit(RLIMIT_DATA, prepared.data_bytes_max)) &&
                         (prepared.file_bytes_max == 0 || Limit(RLIMIT_FSIZE, prepared.file_bytes_max));
    if (!limited) Fail(prepared, Step::kLimits);
    if (const int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); score >= 0) {
        [[maybe_unused]] const ssize_t written = write(score, "500", 3);
    }
    execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
    Fail(prepared, Step::kExec);
}

}  // namespace

Result<ChildProcess> ChildProcess::Start(const ChildOptions& options) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError("pipe", errno);
    Fd read_end(ends[0]);
    Fd write_end(ends[1]);
    const Prepared prepared = {.arguments = Pointers(options.arguments),
                               .environment = Pointers(options.environment),
                               .output_path = options.output_path.c_str(),
                               .working_folder = options.working_folder.c_str(),
                               .data_bytes_max = options.data_bytes_max,
                               .file_bytes_max = options.file_bytes_max,
                               .parent = getpid(),
                               .failure_pipe = write_end.get()};
    // Signals stay blocked across fork: a handler of the server must never run in the child.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    if (pid == 0) BecomeChild(prepared);
    const int fork_errno = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return ErrnoError("fork", fork_errno);
    ChildProcess child(pid, Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0U))));
    if (!child.pidfd_.is_open()) return ErrnoError("pidfd_open", errno);
    write_end.Close();
    Failure failure{};
    ssize_t size = 0;
    do {
        size = read(read_end.get(), &failure, sizeof failure);
    } while (size < 0 && errno == EINTR);
    if (size == sizeof failure) {
        return ErrnoError(fmt::format("start {}: {}", options.arguments[0], NameOf(failure.step)), failure.errno_value);
    }
    return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), status_(other.status_) {}

ChildProcess::~ChildProcess() {
    if (pid_ < 0 || status_) return;
    Signal(SIGKILL);
    Reap(/*block=*/true);
}

void ChildProcess::Reap(bool block) {
    int status = 0;
    pid_t reaped = 0;
    do {
        reaped = waitpid(pid_, &status, block ? 0 : WNOHANG);
    } while (reaped < 0 && errno == EINTR);
    if (reaped == pid_) status_ = status;
}

std::optional<int> ChildProcess::WaitFor(std::chrono::milliseconds timeout) {
    if (status_) return status_;
    pollfd ended = {.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    poll(&ended, 1, static_cast<int>(timeout.count()));
    Reap(/*block=*/false);
    return status_;
}

void ChildProcess::Signal(int signal) const {
    // Through the pidfd: it can never reach another process that got the same number.
    if (!status_) syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0U);
}

std::vector<pid_t> ProcessesWithEnvironment(const std::vector<std::string>& entries) {
    std::vector<pid_t> found;
    std::error_code error;
    for (const auto& process : std::filesystem::directory_iterator("/proc", error)) {
        const std::string pid_text = process.path().filename().string();
        if (pid_text.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto pid = static_cast<pid_t>(std::stol(pid_text));
        if (pid == getpid()) continue;
        std::ifstream in(process.path() / "environ", std::ios::binary);
        std::vector<std::string> missing = entries;
        for (std::string entry; !missing.empty() && std::getline(in, entry, '\0');) std::erase(missing, entry);
        if (missing.empty()) found.push_back(pid);
    }
    return found;
}

bool KillProcessesWithEnvironment(const std::vector<std::string>& entries, std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (true) {
        const std::vector<pid_t> left = ProcessesWithEnvironment(entries);
        if (left.empty()) return true;
        for (const pid_t pid : left) kill(pid, SIGKILL);
        if (std::chrono::steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

std::string DescribeExit(int status) {
    if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        return fmt::format("ended by signal {} ({})", signal, strsignal(signal));
    }
    return fmt::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace espalier::jobs
