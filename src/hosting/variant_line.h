// Who may be answered by a variant now, who waits, and who is told to come again: its instances' share of the machine.
//
// A request runs where it was read when answers have not taken long lately, for a hand-over costs two threads' switches
// and what the caches hold of its body; else it waits in the line until a thread of the pool takes it, so threads that
// read stay free to refuse. At most running_max run and waiting_max wait; more are refused at once, which costs a
// fraction of an answer. So work that was accepted is answered after waiting_max others at the latest, however many
// ask. Lines are emptied in order; the pool takes variants in turn. Thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <mutex>

#include "base/thread_pool.h"

namespace espalier::hosting {

class VariantLine {
  public:
    struct Bounds {
        int running_max = 1;
        int waiting_max = 0;  ///< 0 = nobody waits
    };
    /// `pool` is borrowed and outlives the line; its queue must be longer than all lines' running_max together.
    explicit VariantLine(ThreadPool& pool) : pool_(pool) {}

    /// Holds for those who come from now on.
    void SetBounds(const Bounds& bounds);

    enum class Entry {
        kRun,     ///< run now, then call Leave
        kQueued,  ///< the task was taken and will be run; it calls Leave, and keeps the line alive until then
        kFull,    ///< come again later
    };
    enum class Kind {
        kAttended,
        kUnattended,  ///< nobody waits for the answer: always run by the pool
        kContinued,   ///< goes on with what was let in before: never refused, always run by the pool
    };
    /// `make_task` is called only when the request has to wait.
    Entry Enter(Kind kind, const std::function<std::function<void()>()>& make_task);
    /// Ends what Enter let run, which took `took`. Before the answer is sent, so that who has it may ask again at once.
    void Leave(std::chrono::microseconds took);

    /// How long the line will be, by what answers have taken lately.
    std::chrono::milliseconds WaitingTime() const;

  private:
    /// Hands waiting tasks to the pool as far as the bounds allow. Under mutex_.
    void StartWaiting();

    ThreadPool& pool_;
    mutable std::mutex mutex_;
    Bounds bounds_;                              // guarded by mutex_
    int running_ = 0;                            // guarded by mutex_
    std::deque<std::function<void()>> waiting_;  // guarded by mutex_
    double recent_us_ = 0;                       // guarded by mutex_: what an answer takes, smoothed
};

}  // namespace espalier::hosting
