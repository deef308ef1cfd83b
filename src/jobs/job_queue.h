// Runs jobs on threads of their own, as many at a time as there are slots, in the order they were queued.
//
// A job is an id and a function that returns when the job has ended or its JobControl says so; the processes of a job
// die with its thread. The destructor abandons what runs and waits for it; what is queued stays unstarted.
// Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace espalier::jobs {

/// What the outside wants of a running job.
struct JobControl {
    std::atomic<bool> stop_requested = false;  ///< the row says Stopping
    std::atomic<bool> abandoned = false;       ///< the server ends: kill, and leave the row for the next start
};

class JobQueue {
  public:
    using RunFunction = std::function<void(std::int64_t job_id, JobControl& control)>;

    JobQueue(int num_slots, RunFunction run);
    ~JobQueue();
    JobQueue(const JobQueue&) = delete;
    JobQueue& operator=(const JobQueue&) = delete;

    void Add(std::int64_t job_id);
    /// Tells a running job that it is being stopped; takes a queued one out of the queue and returns true.
    bool Stop(std::int64_t job_id);

  private:
    struct Running {
        JobControl control;
        std::jthread thread;
    };

    void StartWhatFits();  // mutex_ held
    void RunJob(std::int64_t job_id, JobControl& control);

    const int num_slots_;
    const RunFunction run_;
    std::mutex mutex_;
    std::condition_variable ended_one_;
    std::deque<std::int64_t> queue_;  // guarded by mutex_, as are the next three
    std::map<std::int64_t, std::unique_ptr<Running>> running_;
    std::vector<std::unique_ptr<Running>> ended_;  ///< threads about to return, joined when the next job starts
    bool closing_ = false;
};

}  // namespace espalier::jobs
