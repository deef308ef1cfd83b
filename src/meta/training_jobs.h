// The rows of training jobs: one per job with its request, status and times, and one per secondary status transition.
//
// Nouns: TrainingJob, Transition, JobStage (SageMaker's SecondaryStatus); JobStatus and lists: meta/job_query.h.
// Every change of state is one transaction that checks the state it starts from, so a status never goes backwards and
// two threads cannot both end a job. Names stay taken until the job is deleted. Times never run backwards inside a job,
// even when the wall clock does. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/job_query.h"
#include "meta/scope.h"
#include "meta/tags.h"

namespace espalier::meta {

enum class JobStage {
    kStarting,
    kDownloading,
    kTraining,
    kUploading,
    kRestarting,
    kStopping,
    kCompleted,
    kFailed,
    kStopped,
    kMaxRuntimeExceeded,
};

/// SageMaker's words: "MaxRuntimeExceeded".
std::string_view ToString(JobStage stage);

struct Transition {
    JobStage stage = JobStage::kStarting;
    UnixMillis started_at = 0;
    UnixMillis ended_at = 0;  ///< 0 while it lasts
    std::string message = {};
};

struct TrainingJob {
    std::int64_t id = 0;  ///< rises with creation: the order of the queue
    Scope scope;
    std::string name;
    std::string request;        ///< the CreateTrainingJob document as received, JSON
    std::string invocation_id;  ///< of the Create call, "" if it sent none
    JobStatus status = JobStatus::kInProgress;
    JobStage stage = JobStage::kStarting;
    std::string failure_reason;  ///< "" unless Failed
    UnixMillis created_at = 0;
    UnixMillis modified_at = 0;
    UnixMillis started_at = 0;      ///< start of Downloading; 0 until then
    UnixMillis ended_at = 0;        ///< 0 until terminal, and for ever if it never started
    bool runtime_exceeded = false;  ///< the stop under way is MaxRuntimeInSeconds's, not a user's
    std::string process_token;      ///< marks the processes of the last launch, "" before
    std::int64_t num_launches = 0;
    std::string tuning_job;               ///< the tuning job whose trial it is, "" if none
    std::vector<Transition> transitions;  ///< oldest first; empty in lists
};

struct NewTrainingJob {
    Scope scope;
    std::string name;
    std::string request;
    std::string invocation_id = {};
    UnixMillis created_at = 0;
    std::string message = {};  ///< of the first transition, Starting
    std::string tuning_job = {};
    std::string arn = {};  ///< what the tags hang on
    std::vector<Tag> tags = {};
};

/// A state to enter.
struct JobChange {
    JobStatus status = JobStatus::kInProgress;
    JobStage stage = JobStage::kStarting;
    std::string message = {};
    UnixMillis now = 0;
    std::string failure_reason = {};  ///< kFailed only
    bool runtime_exceeded = false;    ///< kStopping only
};

class TrainingJobs {
  public:
    /// `database` is borrowed.
    explicit TrainingJobs(Database& database) : database_(database) {}

    /// kAlreadyExists when the scope has a job of that name in any case: ARNs are lower-case.
    Result<TrainingJob> Insert(const NewTrainingJob& job);
    /// True when a job of that name in any case is there: what an ARN can tell.
    Result<bool> ExistsFolded(const Scope& scope, const std::string& name);
    /// kNotFound.
    Result<TrainingJob> Find(const Scope& scope, const std::string& name);
    Result<TrainingJob> FindById(std::int64_t id);

    /// Ends the transition under way and enters the next state. kConflict when the job is terminal already; kCancelled
    /// when it is Stopping and the change would set it InProgress again. Stopping twice changes nothing.
    Result<void> Enter(std::int64_t id, const JobChange& change);
    /// Rewords the transition under way. Nothing when the job is no longer in that stage.
    Result<void> Reword(std::int64_t id, JobStage stage, const std::string& message, UnixMillis now);
    /// A user's stop: Stopping. kNotFound; kConflict with the status as the message when the job is terminal. A job
    /// that is Stopping already stays as it is. Returns the job.
    Result<TrainingJob> RequestStop(const Scope& scope, const std::string& name, const std::string& message,
                                    UnixMillis now);
    /// Notes the mark of the processes that are about to be launched.
    Result<void> NoteLaunch(std::int64_t id, const std::string& process_token);

    /// With its transitions, metrics and tags; `arn` is what the tags hang on. The name is free again. kNotFound;
    /// kConflict with the status as the message when the job has not ended.
    Result<void> Delete(const Scope& scope, const std::string& name, const std::string& arn);

    /// Jobs that are InProgress or Stopping, oldest first.
    Result<std::vector<TrainingJob>> Unfinished();
    Result<JobPage<TrainingJob>> List(const JobQuery& query);

  private:
    Database& database_;
};

}  // namespace espalier::meta
