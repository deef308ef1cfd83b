// Training jobs as callers see them: create, look, stop, list; and the queue that runs them.
//
// Jobs start in the order they were created, as many at a time as there are slots: one per core, at least two, so that
// two jobs submitted together run together. A job takes one slot whatever its instances; nothing is refused for its
// size. Each running job has a thread of its own (its processes die with that thread).
// Open takes up every job that an earlier server left unfinished (job_run.h says how); the destructor kills what runs
// and leaves the rows for the next start.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/job_run.h"
#include "jobs/launcher.h"
#include "meta/logs.h"
#include "meta/metrics.h"
#include "meta/training_jobs.h"
#include "store/object_store.h"

namespace espalier::jobs {

struct CreateJob {
    meta::Scope scope;
    std::string arn;
    std::string request;        ///< the CreateTrainingJob document, satisfying its published shape
    std::string invocation_id;  ///< "" if the client sent none
    std::vector<meta::Tag> tags;
};

class JobService {
  public:
    struct Options {
        meta::Database* database = nullptr;  ///< borrowed, as are store, launcher and clock
        store::ObjectStore* store = nullptr;
        Launcher* launcher = nullptr;
        const Clock* clock = nullptr;
        std::string folder;  ///< made if missing; on the file system of the store, so that data can be linked
        int num_cores = 1;
        int num_slots = 2;  ///< jobs that run at a time
    };
    /// Slots for a machine of that many cores.
    static int SlotsFor(int num_cores) { return num_cores < 2 ? 2 : num_cores; }

    static Result<std::unique_ptr<JobService>> Open(const Options& options);
    ~JobService();
    JobService(const JobService&) = delete;
    JobService& operator=(const JobService&) = delete;

    /// Checks the request, writes the row, queues the job. kInvalidArgument with a sentence for the user;
    /// kResourceLimit; kAlreadyExists when the name is taken, unless by this very call (same invocation id), whose job
    /// is then returned.
    Result<meta::TrainingJob> Create(const CreateJob& request);
    /// kNotFound.
    Result<meta::TrainingJob> Find(const meta::Scope& scope, const std::string& name);
    Result<meta::TrainingJob> FindById(std::int64_t id);
    /// kNotFound; kConflict with the status ("Stopped") as the message for a job that has ended.
    Result<void> Stop(const meta::Scope& scope, const std::string& name);
    Result<meta::JobPage> List(const meta::JobQuery& query) { return jobs_.List(query); }
    Result<std::vector<meta::MetricPoint>> FinalMetrics(std::int64_t job_id) { return metrics_.Final(job_id); }

    /// Called with the id of a job after each committed change of it, from any thread; must not block. Set once, before
    /// the first request. Empty = nobody listens.
    void SetListener(std::function<void(std::int64_t job_id)> listener);

  private:
    struct Running {
        JobControl control;
        std::jthread thread;
    };

    explicit JobService(const Options& options);
    Result<void> CheckInputs(const JobSpec& spec, const meta::Scope& scope);
    Result<void> TakeUpUnfinished();
    void Enqueue(std::int64_t job_id);
    void StartWhatFits();  // mutex_ held
    void RunJob(std::int64_t job_id, JobControl& control);
    void EndQueued(std::int64_t job_id);
    void Changed(std::int64_t job_id);

    Options options_;
    meta::TrainingJobs jobs_;
    meta::Logs logs_;
    meta::TrainingMetrics metrics_;
    JobTools tools_;

    std::mutex listener_mutex_;
    std::function<void(std::int64_t)> listener_;  // guarded by listener_mutex_

    std::mutex mutex_;
    std::deque<std::int64_t> queue_;  // guarded by mutex_, as are the next three
    std::map<std::int64_t, std::unique_ptr<Running>> running_;
    std::vector<std::unique_ptr<Running>> ended_;  ///< threads about to return, joined when the next job starts
    bool closing_ = false;
};

}  // namespace espalier::jobs
