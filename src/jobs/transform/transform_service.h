// Transform jobs as callers see them: create, look, stop, list; and the queue that runs them.
//
// They have slots of their own beside those of training jobs, so that a transform does not wait for a tuning job's
// trials. Open takes up every job that an earlier server left unfinished (transform_run.h says how).
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
#include "jobs/launcher.h"
#include "jobs/transform/transform_run.h"
#include "jobs/transform/transform_spec.h"
#include "meta/job_rows.h"
#include "meta/logs.h"
#include "store/object_store.h"

namespace espalier::jobs {

struct CreateTransform {
    meta::Scope scope;
    std::string arn;
    std::string request;        ///< the CreateTransformJob document, satisfying its published shape
    std::string invocation_id;  ///< "" if the client sent none
    std::vector<meta::Tag> tags;
    TransformModel model;
    std::string trace_parent = {};  ///< W3C traceparent of the request, "" when it is not traced
};

class TransformService {
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

    static Result<std::unique_ptr<TransformService>> Open(const Options& options);
    TransformService(const TransformService&) = delete;
    TransformService& operator=(const TransformService&) = delete;

    /// Checks the request, writes the row, queues the job. kInvalidArgument with a sentence for the user;
    /// kAlreadyExists when the name is taken, unless by this very call (same invocation id), whose job is then
    /// returned.
    Result<meta::Job> Create(const CreateTransform& request);
    /// kNotFound.
    Result<meta::Job> Find(const meta::Scope& scope, const std::string& name) { return jobs_.Find(scope, name); }
    Result<meta::Job> FindById(std::int64_t id) { return jobs_.FindById(id); }
    /// kNotFound; kConflict with the status ("Stopped") as the message for a job that has ended.
    Result<void> Stop(const meta::Scope& scope, const std::string& name);
    Result<meta::JobPage<meta::Job>> List(const meta::JobQuery& query) { return jobs_.List(query); }

    JobListeners& listeners() { return listeners_; }

  private:
    explicit TransformService(const Options& options);
    Result<void> TakeUpUnfinished();
    void RunJob(std::int64_t job_id, JobControl& control);

    Options options_;
    meta::JobRows jobs_;
    meta::Logs logs_;
    JobTracer tracer_;
    TransformTools tools_;

    JobListeners listeners_;

    JobQueue queue_;  // last: its threads use all of the above
};

}  // namespace espalier::jobs
