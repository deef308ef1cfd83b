// One child process in a session of its own, started the safe way from a program with many threads: between fork and
// exec only system calls, everything prepared before.
//
// The child dies with the thread that started it (PR_SET_PDEATHSIG), has standard input closed, no descriptor of ours,
// a clean signal mask, limits, and a raised out-of-memory score, so that the kernel ends a trainer before the server.
// Confined to the starting thread. Source: prctl(2), pidfd_open(2), close_range(2), setrlimit(2).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"

namespace espalier::jobs {

struct ChildOptions {
    std::vector<std::string> arguments;    ///< [0] is the program's path
    std::vector<std::string> environment;  ///< "NAME=value": all of it, nothing is inherited
    std::string output_path;               ///< standard output and error, appended; made if missing
    std::string working_folder;
    std::uint64_t data_bytes_max = 0;  ///< RLIMIT_DATA: private memory of each process; 0 = no limit
    std::uint64_t file_bytes_max = 0;  ///< RLIMIT_FSIZE; 0 = no limit
};

class ChildProcess {
  public:
    /// kIo with the failing step and its errno, also for those between fork and exec.
    static Result<ChildProcess> Start(const ChildOptions& options);
    ChildProcess(ChildProcess&&) noexcept;
    ChildProcess& operator=(ChildProcess&&) = delete;
    /// Kills the session and reaps the child.
    ~ChildProcess();

    pid_t pid() const { return pid_; }
    /// The status of waitpid, once the child has ended.
    std::optional<int> WaitFor(std::chrono::milliseconds timeout);
    void Signal(int signal) const;

  private:
    ChildProcess(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
    void Reap(bool block);

    pid_t pid_ = -1;
    Fd pidfd_;
    std::optional<int> status_;
};

/// The processes that have all these "NAME=value" in their environment, the calling process left out.
std::vector<pid_t> ProcessesWithEnvironment(const std::vector<std::string>& entries);

/// Sends SIGKILL to all of them, again and again until none is left or the time is over. True when none is left.
bool KillProcessesWithEnvironment(const std::vector<std::string>& entries, std::chrono::milliseconds time);

/// "exit code 3" or "ended by signal 9 (Killed)" of a waitpid status.
std::string DescribeExit(int status);

}  // namespace espalier::jobs
