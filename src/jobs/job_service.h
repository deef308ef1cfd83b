// Training jobs as callers see them: create, look, stop, list; and the queue that runs them.
//
// Jobs start in the order they were created, as many at a time as there are slots: one per core, at least two, so that
// two jobs submitted together run together. A job takes one slot whatever its instances; nothing is refused for its
// size. Each running job has a thread of its own (its processes die with that thread).
// Open takes up every job that an earlier server left unfinished (job_run.h says how); the destructor kills what runs
// and leaves the rows for the next start.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/job_listeners.h"
#include "jobs/job_queue.h"
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
    std::string tuning_job = {};    ///< the tuning job whose trial it is, "" if none
    std::string trace_parent = {};  ///< W3C traceparent of the request, "" when it is not traced
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
        int num_slots = 2;          ///< jobs that run at a time
        SpanSink* spans = nullptr;  ///< borrowed; nullptr: no job is traced
    };
    /// Slots for a machine of that many cores.
    static int SlotsFor(int num_cores) { return num_cores < 2 ? 2 : num_cores; }

    static Result<std::unique_ptr<JobService>> Open(const Options& options);
    JobService(const JobService&) = delete;
    JobService& operator=(const JobService&) = delete;

    /// Checks the request, writes the row, queues the job. kInvalidArgument with a sentence for the user;
    /// kResourceLimit; kAlreadyExists when the name is taken, unless by this very call (same invocation id), whose job
    /// is then returned.
    Result<meta::TrainingJob> Create(const CreateJob& request);
    /// kNotFound.
    Result<meta::TrainingJob> Find(const meta::Scope& scope, const std::string& name);
    Result<meta::TrainingJob> FindById(std::int64_t id);
    /// What Create checks, without making a job.
    Result<void> Check(const std::string& request, const meta::Scope& scope);
    /// kNotFound; kConflict with the status as the message for a job that has not ended. `arn` is what its tags hang
    /// on.
    Result<void> Delete(const meta::Scope& scope, const std::string& name, const std::string& arn) {
        return jobs_.Delete(scope, name, arn);
    }
    /// kNotFound; kConflict with the status ("Stopped") as the message for a job that has ended.
    Result<void> Stop(const meta::Scope& scope, const std::string& name);
    Result<meta::JobPage<meta::TrainingJob>> List(const meta::JobQuery& query) { return jobs_.List(query); }
    Result<std::vector<meta::MetricPoint>> FinalMetrics(std::int64_t job_id) { return metrics_.Final(job_id); }
    /// The values of a metric so far, one for each round.
    Result<std::vector<double>> MetricValues(const meta::TrainingJob& job, const std::string& metric);

    /// Removes what the trials of a tuning job share; they have all ended.
    void ForgetSharedBins(const meta::Scope& scope, const std::string& tuning_job);

    JobListeners& listeners() { return listeners_; }

  private:
    explicit JobService(const Options& options);
    Result<void> CheckInputs(const JobSpec& spec, const meta::Scope& scope);
    Result<void> TakeUpUnfinished();
    void RunJob(std::int64_t job_id, JobControl& control);
    void EndQueued(std::int64_t job_id);

    Options options_;
    meta::TrainingJobs jobs_;
    meta::Logs logs_;
    meta::TrainingMetrics metrics_;
    meta::Lineage lineage_;
    ContentDigests digests_;
    JobTracer tracer_;
    JobTools tools_;

    JobListeners listeners_;

    JobQueue queue_;  // last: its threads use all of the above
};

}  // namespace espalier::jobs
