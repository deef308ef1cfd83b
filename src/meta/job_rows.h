// The rows of transform jobs and of tuning jobs: a request, a status, times, and a document of what has come of it.
//
// Both kinds share one table layout and this one class; what `detail` holds is jobs' business (docs/formats.md). Every
// change of state is one transaction that checks the state it starts from, so a status never goes backwards. Names are
// unique without case, because ARNs are lower-case. Times never run backwards inside a job. Thread-safe.
#pragma once

#include <cstdint>
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

enum class JobKind { kTransform, kTuning };

/// The kind as ARNs spell it: "transform-job", "hyper-parameter-tuning-job".
std::string_view ArnKind(JobKind kind);

struct Job {
    std::int64_t id = 0;  ///< rises with creation
    Scope scope;
    std::string name;
    std::string request;        ///< the Create document as received, JSON
    std::string invocation_id;  ///< of the Create call, "" if it sent none
    JobStatus status = JobStatus::kInProgress;
    std::string failure_reason;  ///< "" unless Failed
    UnixMillis created_at = 0;
    UnixMillis modified_at = 0;
    UnixMillis started_at = 0;  ///< 0 until the work begins
    UnixMillis ended_at = 0;    ///< 0 until terminal
    std::string process_token;  ///< marks the processes of the last launch, "" before
    std::int64_t num_launches = 0;
    std::string detail;  ///< JSON
};

struct NewJob {
    Scope scope;
    std::string name;
    std::string request;
    std::string invocation_id = {};
    UnixMillis created_at = 0;
    std::string detail = "{}";
    std::string arn = {};  ///< what the tags hang on
    std::vector<Tag> tags = {};
};

class JobRows {
  public:
    /// `database` is borrowed.
    JobRows(Database& database, JobKind kind) : database_(database), kind_(kind) {}

    /// kAlreadyExists when the scope has a job of that name in any case.
    Result<Job> Insert(const NewJob& job);
    /// True when a job of that name in any case is there: what an ARN can tell.
    Result<bool> ExistsFolded(const Scope& scope, const std::string& name);
    /// kNotFound, as FindById.
    Result<Job> Find(const Scope& scope, const std::string& name);
    Result<Job> FindById(std::int64_t id);

    /// The work begins: notes the time, and the mark of the processes that are about to be launched.
    Result<void> NoteLaunch(std::int64_t id, const std::string& process_token, UnixMillis now);
    Result<void> SetDetail(std::int64_t id, const std::string& detail, UnixMillis now);
    /// Ends the job. kConflict with the status as the message when it has ended already.
    Result<void> End(std::int64_t id, JobStatus status, const std::string& failure_reason, UnixMillis now);
    /// A user's stop: Stopping. kNotFound; kConflict with the status as the message when the job is terminal. A job
    /// that is Stopping already stays as it is. Returns the job.
    Result<Job> RequestStop(const Scope& scope, const std::string& name, UnixMillis now);
    /// With its tags; `arn` is what they hang on. kNotFound; kConflict with the status when it has not ended.
    Result<void> Delete(const Scope& scope, const std::string& name, const std::string& arn);

    /// Jobs that are InProgress or Stopping, oldest first.
    Result<std::vector<Job>> Unfinished();
    Result<JobPage<Job>> List(const JobQuery& query);

  private:
    Database& database_;
    JobKind kind_;
};

}  // namespace espalier::meta
