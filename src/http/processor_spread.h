// Keeps loops that are busy at the same time off each other's processor.
//
// The kernel may leave two busy threads on one processor while another is idle half of the time, because the thread
// that works there sleeps often: each then waits for the other's whole turn (milliseconds), and all connections of its
// loop with it. A loop that finds another one's work begun on its processor goes elsewhere, and keeps off that
// processor for a while. While loops do not meet nothing is bound to any processor, so other programs are made way for
// as ever. What a loop's thread starts, threads or processes, inherits where it may run: handlers on a loop start
// neither. Nouns: a loop is a number below num_loops; it works from Begin to End. Each loop's calls come from its own
// thread.
#pragma once

#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <vector>

namespace espalier::http {

class ProcessorSpread {
  public:
    /// Loops that have just been let go meet again in some milliseconds, so it is not done often.
    static constexpr std::chrono::seconds kKeptOff{2};

    explicit ProcessorSpread(std::size_t num_loops);

    /// The loop works, on the processor its thread runs on now; the thread may be moved to another.
    void Begin(std::size_t loop);
    /// Begin's question, for a loop that runs on `processor`: true if another loop has begun to work there.
    bool Meets(std::size_t loop, std::size_t processor);
    /// It waits for work.
    void End(std::size_t loop);
    /// If it has kept off some processor for kKeptOff, it may run again wherever it could before.
    void Release(std::size_t loop, std::chrono::steady_clock::time_point now);

  private:
    static constexpr std::size_t kNobody = ~std::size_t{0};
    static constexpr std::size_t kCacheLine = 64;
    struct alignas(kCacheLine) Processor {
        std::atomic<std::size_t> loop = kNobody;  ///< that works here, as far as known; a hint, so any order will do
    };
    struct alignas(kCacheLine) LoopState {
        std::size_t processor = 0;  ///< where it began
        bool works = false;
        bool keeps_off = false;
        cpu_set_t allowed;  ///< before it kept off
        std::chrono::steady_clock::time_point since;
    };
    void KeepOff(LoopState& state, std::size_t processor);

    std::vector<Processor> processors_;
    std::vector<LoopState> loops_;
};

}  // namespace espalier::http
