// Tuning jobs as callers see them: create, look, stop, delete, list; and the thread that moves them on.
//
// A tuning job's trials are training jobs of JobService, submitted as many at a time as it may run in parallel; there
// they wait for their slots like any other. One thread advances all tuning jobs (tuning_run.h): when a training job has
// changed, once a second, and every kRoundsInterval while trials are judged by their rounds. Open takes up every tuning
// job that an earlier server left unfinished.
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/job_listeners.h"
#include "jobs/job_service.h"
#include "jobs/tuning/tuning_run.h"
#include "meta/job_rows.h"
#include "meta/tuning_trials.h"

namespace espalier::jobs {

struct CreateTuning {
    meta::Scope scope;
    std::string arn;
    std::string request;        ///< the CreateHyperParameterTuningJob document, satisfying its published shape
    std::string invocation_id;  ///< "" if the client sent none
    std::vector<meta::Tag> tags;
    std::string trace_parent = {};  ///< W3C traceparent of the request, "" when it is not traced
};

/// What Describe tells beside the row.
struct TuningState {
    meta::TrialCounts counts;
    std::int64_t retryable_failures = 0;  ///< of counts.failed: those that are the server's fault
    std::optional<meta::TuningTrial> best = {};
    /// Of this job and its parents, when they tune the same thing: the tuning job and the trial.
    std::optional<std::pair<meta::Job, meta::TuningTrial>> overall_best = {};
};

class TuningService {
  public:
    static constexpr std::chrono::milliseconds kRoundsInterval{100};

    struct Options {
        meta::Database* database = nullptr;  ///< borrowed, as are training and clock
        JobService* training = nullptr;
        const Clock* clock = nullptr;
        SpanSink* spans = nullptr;  ///< borrowed; nullptr: no job is traced
    };

    static Result<std::unique_ptr<TuningService>> Open(const Options& options);
    ~TuningService();
    TuningService(const TuningService&) = delete;
    TuningService& operator=(const TuningService&) = delete;

    /// Checks the request, a first trial and the parents, writes the row. kInvalidArgument with a sentence for the
    /// user; kResourceLimit; kAlreadyExists when the name is taken, unless by this very call (same invocation id),
    /// whose job is then returned.
    Result<meta::Job> Create(const CreateTuning& request);
    /// kNotFound.
    Result<meta::Job> Find(const meta::Scope& scope, const std::string& name) { return jobs_.Find(scope, name); }
    Result<meta::Job> FindById(std::int64_t id) { return jobs_.FindById(id); }
    Result<TuningState> StateOf(const meta::Job& job);
    /// kNotFound; kConflict with the status as the message for a job that has ended.
    Result<void> Stop(const meta::Scope& scope, const std::string& name);
    /// Its training jobs stay. kNotFound; kConflict with the status as the message for a job that has not ended.
    Result<void> Delete(const meta::Scope& scope, const std::string& name, const std::string& arn);
    Result<meta::JobPage<meta::Job>> List(const meta::JobQuery& query) { return jobs_.List(query); }
    Result<meta::JobPage<meta::TuningTrial>> ListTrials(const meta::TrialQuery& query) { return trials_.List(query); }

    JobListeners& listeners() { return listeners_; }

  private:
    explicit TuningService(const Options& options);
    Result<void> CheckParents(const TuningSpec& spec, const meta::Scope& scope);
    void TakeUp(const meta::Job& job);
    void Work();
    std::chrono::milliseconds AdvanceAll();
    void Wake();

    Options options_;
    meta::JobRows jobs_;
    meta::TuningTrials trials_;
    JobListeners listeners_;
    JobTracer tracer_;
    TuningTools tools_;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<meta::Job> new_jobs_;  // guarded by mutex_, as are the next two
    bool changed_ = false;
    bool closing_ = false;
    std::map<std::int64_t, TuningRun> runs_;  ///< of the thread alone
    std::unique_ptr<JobListeners::Subscription> subscription_;
    std::jthread thread_;
};

}  // namespace espalier::jobs
