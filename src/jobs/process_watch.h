// ProcessWatch: whether a working process still gets on, judged by its mark of progress and by what the kernel says of
// it. One for each process; confined to one thread.
//
// Each look adds the time since the last one, at most kLookMax of it, to one of three accounts; a move of the mark
// clears the last two, so that nothing but silence is counted:
//   stopped    by a signal (SIGSTOP, a debugger), or dead but not reaped: state T, t or Z. Counts also while it waits.
//   asleep     no processor time since the last look, state S: a lost wake-up, a pipe nobody writes to.
//   computing  only the processor time it has taken, and never more than the time that passed: a process that got no
//              processor, on a busy machine or while it was swapped in, has not been silent. Its limit is the patience
//              the process states, which follows from its data (base/progress_mark.h).
// A process that waits for others (the mark says so) is watched through them. One in state D waits for a disk: no
// signal would end it, so it is left alone. Source: proc(5).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/progress_mark.h"

namespace espalier::jobs {

/// What the kernel says of a process.
struct ProcessLook {
    char state = 'R';
    std::chrono::milliseconds cpu_time{0};  ///< of all its threads since its start

    /// By a signal or a debugger, or it has ended and nobody has asked how.
    bool IsStopped() const { return state == 'T' || state == 't' || state == 'Z'; }
};

/// Nothing when there is no such process.
std::optional<ProcessLook> LookAtProcess(int pid);

class ProcessWatch {
  public:
    struct Limits {
        std::chrono::milliseconds stopped = std::chrono::seconds(10);
        std::chrono::milliseconds asleep = std::chrono::seconds(60);
        std::chrono::milliseconds computing = std::chrono::seconds(60);      ///< of one that states no patience
        std::chrono::milliseconds computing_max = std::chrono::minutes(30);  ///< whatever patience it states
    };
    explicit ProcessWatch(const Limits& limits) : limits_(limits) {}

    /// Something like "was stopped for 10 s", once it has gone on for too long. `seen` is empty for a process that has
    /// no mark: then only whether it is stopped is looked at.
    std::optional<std::string> Judge(std::chrono::steady_clock::time_point now, const ProcessLook& look,
                                     const std::optional<ProgressMark::Seen>& seen);

  private:
    using Milliseconds = std::chrono::milliseconds;

    Limits limits_;
    std::optional<std::chrono::steady_clock::time_point> last_look_;
    std::uint64_t num_moves_ = 0;
    Milliseconds cpu_time_{0};
    Milliseconds stopped_{0};
    Milliseconds asleep_{0};
    Milliseconds computing_{0};
};

}  // namespace espalier::jobs
