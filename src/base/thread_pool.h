// A fixed number of worker threads behind a bounded queue.
//
// Nobody ever waits to submit: a full queue is told to the caller, who sheds the load (HTTP answers 503).
// The destructor refuses new tasks, runs those already queued and joins. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace espalier {

class ThreadPool {
  public:
    struct Options {
        std::size_t num_threads = 1;
        std::size_t queued_tasks_max = 1024;  ///< tasks that wait; those being run are not counted
    };

    explicit ThreadPool(Options options);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    /// Queues `task` for any worker, in order. False, and the task is not run, when the queue is full or the pool is
    /// being stopped. A task must not throw.
    [[nodiscard]] bool TrySubmit(std::function<void()> task);

    /// Refuses new tasks, runs the queued ones, joins. A second call does nothing. Not from one of the pool's threads.
    void Stop();

  private:
    void Work();

    const std::size_t queued_tasks_max_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;  // guarded by mutex_
    bool stopping_ = false;                    // guarded by mutex_
    std::vector<std::jthread> threads_;
};

}  // namespace espalier
