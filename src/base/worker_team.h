// WorkerTeam: a fixed set of threads that share the tasks of one loop at a time; the engine's way to use many cores.
//
//   team.ForEach(num_blocks, [&](std::size_t block, int worker) { … });
//
// The calling thread is worker 0 and takes part. Tasks are handed out by a counter, so a task must not depend on who
// runs it; results must not depend on the number of threads: cut work into blocks by its size, never by num_threads(),
// or combine with exact arithmetic. ForEach allocates nothing and takes no lock while tasks run; helpers that wait spin
// for some microseconds before they sleep, because loops follow each other closely inside an iteration.
// A task that is done moves the mark of progress, if there is one.
// Confined to the thread that made it; ForEach does not nest.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/progress_mark.h"

namespace espalier {

class WorkerTeam {
  public:
    static constexpr int kThreadsMax = 256;

    /// num_threads in 1..kThreadsMax, the caller included. `mark` is borrowed and may be null.
    explicit WorkerTeam(int num_threads, ProgressMark* mark = nullptr);
    ~WorkerTeam();
    WorkerTeam(const WorkerTeam&) = delete;
    WorkerTeam& operator=(const WorkerTeam&) = delete;

    int num_threads() const { return num_threads_; }

    /// body(task, worker) for each task in [0, num_tasks), on any worker in [0, num_threads()); returns when all are
    /// done. The body must not throw.
    template <typename Body>
    void ForEach(std::size_t num_tasks, Body&& body) {
        using Plain = std::remove_reference_t<Body>;
        Run(
            num_tasks, [](void* opaque, std::size_t task, int worker) { (*static_cast<Plain*>(opaque))(task, worker); },
            const_cast<void*>(static_cast<const void*>(&body)));
    }

    /// body(begin, end, worker) over [0, size) in blocks of `block_size`.
    template <typename Body>
    void ForBlocks(std::size_t size, std::size_t block_size, Body&& body) {
        ForEach((size + block_size - 1) / block_size, [&](std::size_t block, int worker) {
            const std::size_t begin = block * block_size;
            body(begin, begin + block_size < size ? begin + block_size : size, worker);
        });
    }

  private:
    using Call = void (*)(void* opaque, std::size_t task, int worker);
    void Run(std::size_t num_tasks, Call call, void* opaque);
    void Help(int worker);
    void DrainTasks(int worker);

    const int num_threads_;
    ProgressMark* const mark_;
    Call call_ = nullptr;
    void* opaque_ = nullptr;
    std::size_t num_tasks_ = 0;
    alignas(64) std::atomic<std::size_t> next_task_{0};
    alignas(64) std::atomic<std::uint32_t> loop_{0};  ///< number of the current loop; a change wakes the helpers
    alignas(64) std::atomic<std::uint32_t> num_helping_{0};
    std::atomic<bool> stopping_{false};
    std::vector<std::jthread> helpers_;
};

}  // namespace espalier
