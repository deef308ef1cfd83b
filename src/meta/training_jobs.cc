#include "meta/training_jobs.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "meta/job_table.h"

namespace espalier::meta {
namespace {

constexpr std::array<std::pair<JobStage, std::string_view>, 10> kStageWords = {{
    {JobStage::kStarting, "Starting"},
    {JobStage::kDownloading, "Downloading"},
    {JobStage::kTraining, "Training"},
    {JobStage::kUploading, "Uploading"},
    {JobStage::kRestarting, "Restarting"},
    {JobStage::kStopping, "Stopping"},
    {JobStage::kCompleted, "Completed"},
    {JobStage::kFailed, "Failed"},
    {JobStage::kStopped, "Stopped"},
    {JobStage::kMaxRuntimeExceeded, "MaxRuntimeExceeded"},
}};

constexpr std::string_view kColumns =
    "id, account, region, name, request, invocation_id, status, stage, failure_reason, created_at, modified_at, "
    "started_at, ended_at, runtime_exceeded, process_token, num_launches, tuning_job";

JobStage StageOf(std::string_view word) {
    for (const auto& [stage, text] : kStageWords) {
        if (text == word) return stage;
    }
    return JobStage::kStarting;
}

TrainingJob FromRow(const soci::row& row) {
    TrainingJob job;
    std::size_t column = 0;
    const auto text = [&] { return row.get<std::string>(column++); };
    // SQLite's declared type BIGINT makes SOCI read every integer column as long long.
    const auto integer = [&] { return static_cast<std::int64_t>(row.get<long long>(column++)); };
    job.id = integer();
    job.scope.account = text();
    job.scope.region = text();
    job.name = text();
    job.request = text();
    job.invocation_id = text();
    job.status = JobStatusOf(text()).value_or(JobStatus::kFailed);
    job.stage = StageOf(text());
    job.failure_reason = text();
    job.created_at = integer();
    job.modified_at = integer();
    job.started_at = integer();
    job.ended_at = integer();
    job.runtime_exceeded = integer() != 0;
    job.process_token = text();
    job.num_launches = integer();
    job.tuning_job = text();
    return job;
}

void ReadTransitions(soci::session& sql, TrainingJob& job) {
    const soci::rowset<soci::row> rows =
        (sql.prepare << "SELECT stage, started_at, ended_at, message FROM training_job_transitions WHERE job_id = :id "
                        "ORDER BY position",
         soci::use(job.id, "id"));
    for (const soci::row& row : rows) {
        job.transitions.push_back({.stage = StageOf(row.get<std::string>(0)),
                                   .started_at = row.get<long long>(1),
                                   .ended_at = row.get<long long>(2),
                                   .message = row.get<std::string>(3)});
    }
}

/// Jobs without their transitions.
constexpr JobTable<TrainingJob> kTable("training_jobs", "training job", kColumns, FromRow);

void InsertTransition(soci::session& sql, std::int64_t job_id, const Transition& transition) {
    const std::string stage(ToString(transition.stage));
    sql << "INSERT INTO training_job_transitions (job_id, position, stage, started_at, ended_at, message) "
           "SELECT :id, 1 + count(*), :stage, :started, :ended, :message FROM training_job_transitions "
           "WHERE job_id = :same",
        soci::use(job_id, "id"), soci::use(stage, "stage"), soci::use(transition.started_at, "started"),
        soci::use(transition.ended_at, "ended"), soci::use(transition.message, "message"), soci::use(job_id, "same");
}

/// Writes the change into the row and the transitions of `job`, whose state the caller has checked.
void Apply(soci::session& sql, const TrainingJob& job, const JobChange& change) {
    const UnixMillis now = std::max(change.now, job.modified_at);
    const bool terminal = IsTerminal(change.status);
    const UnixMillis started_at = job.started_at == 0 && change.stage == JobStage::kDownloading ? now : job.started_at;
    const UnixMillis ended_at = terminal && started_at != 0 ? now : 0;
    const std::string status(ToString(change.status));
    const std::string stage(ToString(change.stage));
    const int runtime_exceeded = change.runtime_exceeded || job.runtime_exceeded ? 1 : 0;
    sql << "UPDATE training_job_transitions SET ended_at = :now WHERE job_id = :id AND ended_at = 0",
        soci::use(now, "now"), soci::use(job.id, "id");
    InsertTransition(
        sql, job.id,
        {.stage = change.stage, .started_at = now, .ended_at = terminal ? now : 0, .message = change.message});
    sql << "UPDATE training_jobs SET status = :status, stage = :stage, failure_reason = :reason, modified_at = :now, "
           "started_at = :started, ended_at = :ended, runtime_exceeded = :exceeded WHERE id = :id",
        soci::use(status, "status"), soci::use(stage, "stage"), soci::use(change.failure_reason, "reason"),
        soci::use(now, "now"), soci::use(started_at, "started"), soci::use(ended_at, "ended"),
        soci::use(runtime_exceeded, "exceeded"), soci::use(job.id, "id");
}

}  // namespace

std::string_view ToString(JobStage stage) {
    for (const auto& [value, word] : kStageWords) {
        if (value == stage) return word;
    }
    CHECK(false, "job stage {}", static_cast<int>(stage));
    return "";
}

Result<TrainingJob> TrainingJobs::Insert(const NewTrainingJob& job) {
    TrainingJob inserted;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        TRY(kTable.CheckNameIsFree(sql, job.scope, job.name));
        const std::int64_t id = NextJobId(sql, kTable.name());
        sql << "INSERT INTO training_jobs (id, account, region, name, request, invocation_id, status, stage, "
               "failure_reason, created_at, modified_at, started_at, ended_at, runtime_exceeded, process_token, "
               "num_launches, tuning_job) VALUES (:id, :account, :region, :name, "
               ":request, :invocation, 'InProgress', 'Starting', '', "
               ":created, :modified, 0, 0, 0, '', 0, :tuning)",
            soci::use(id, "id"), soci::use(job.scope.account, "account"), soci::use(job.scope.region, "region"),
            soci::use(job.name, "name"), soci::use(job.request, "request"), soci::use(job.invocation_id, "invocation"),
            soci::use(job.created_at, "created"), soci::use(job.created_at, "modified"),
            soci::use(job.tuning_job, "tuning");
        inserted = TRY(kTable.ByName(sql, job.scope, job.name));
        InsertTransition(sql, inserted.id,
                         {.stage = JobStage::kStarting, .started_at = job.created_at, .message = job.message});
        inserted.transitions.clear();
        ReadTransitions(sql, inserted);
        return AddTags(sql, job.arn, job.tags);
    }));
    return inserted;
}

Result<bool> TrainingJobs::ExistsFolded(const Scope& scope, const std::string& name) {
    return kTable.ExistsFolded(database_, scope, name);
}

Result<TrainingJob> TrainingJobs::Find(const Scope& scope, const std::string& name) {
    TrainingJob job;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        job = TRY(kTable.ByName(sql, scope, name));
        ReadTransitions(sql, job);
        return {};
    }));
    return job;
}

Result<TrainingJob> TrainingJobs::FindById(std::int64_t id) {
    TrainingJob job;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        job = TRY(kTable.ById(sql, id));
        ReadTransitions(sql, job);
        return {};
    }));
    return job;
}

Result<void> TrainingJobs::Enter(std::int64_t id, const JobChange& change) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        const TrainingJob job = TRY(kTable.ById(sql, id));
        if (IsTerminal(job.status)) return Error(ErrorCode::kConflict, std::string(ToString(job.status)));
        if (job.status == JobStatus::kStopping && change.status == JobStatus::kInProgress) {
            return Error(ErrorCode::kCancelled, "the job is being stopped");
        }
        if (job.status == JobStatus::kStopping && change.status == JobStatus::kStopping) return {};
        Apply(sql, job, change);
        return {};
    });
}

Result<void> TrainingJobs::Reword(std::int64_t id, JobStage stage, const std::string& message, UnixMillis now) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        const TrainingJob job = TRY(kTable.ById(sql, id));
        if (job.stage != stage) return {};
        const UnixMillis modified_at = std::max(now, job.modified_at);
        sql << "UPDATE training_job_transitions SET message = :message WHERE job_id = :id AND ended_at = 0",
            soci::use(message, "message"), soci::use(id, "id");
        sql << "UPDATE training_jobs SET modified_at = :now WHERE id = :id", soci::use(modified_at, "now"),
            soci::use(id, "id");
        return {};
    });
}

Result<TrainingJob> TrainingJobs::RequestStop(const Scope& scope, const std::string& name, const std::string& message,
                                              UnixMillis now) {
    TrainingJob stopped;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        const TrainingJob job = TRY(kTable.ByName(sql, scope, name));
        if (IsTerminal(job.status)) return Error(ErrorCode::kConflict, std::string(ToString(job.status)));
        if (job.status != JobStatus::kStopping) {
            Apply(sql, job,
                  {.status = JobStatus::kStopping, .stage = JobStage::kStopping, .message = message, .now = now});
        }
        stopped = TRY(kTable.ById(sql, job.id));
        return {};
    }));
    return stopped;
}

Result<void> TrainingJobs::NoteLaunch(std::int64_t id, const std::string& process_token) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "UPDATE training_jobs SET process_token = :token, num_launches = num_launches + 1 WHERE id = :id",
            soci::use(process_token, "token"), soci::use(id, "id");
        return {};
    });
}

Result<void> TrainingJobs::Delete(const Scope& scope, const std::string& name, const std::string& arn) {
    return kTable.Delete(database_, scope, name, arn);
}

Result<std::vector<TrainingJob>> TrainingJobs::Unfinished() {
    return kTable.Unfinished(database_);
}

Result<JobPage<TrainingJob>> TrainingJobs::List(const JobQuery& query) {
    return kTable.List(database_, query);
}

}  // namespace espalier::meta
