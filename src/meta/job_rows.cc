#include "meta/job_rows.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <algorithm>

#include "meta/job_table.h"

namespace espalier::meta {
namespace {

constexpr std::string_view kColumns =
    "id, account, region, name, request, invocation_id, status, failure_reason, created_at, modified_at, started_at, "
    "ended_at, process_token, num_launches, detail";

Job FromRow(const soci::row& row) {
    Job job;
    std::size_t column = 0;
    const auto text = [&] { return row.get<std::string>(column++); };
    const auto integer = [&] { return static_cast<std::int64_t>(row.get<long long>(column++)); };
    job.id = integer();
    job.scope.account = text();
    job.scope.region = text();
    job.name = text();
    job.request = text();
    job.invocation_id = text();
    job.status = JobStatusOf(text()).value_or(JobStatus::kFailed);
    job.failure_reason = text();
    job.created_at = integer();
    job.modified_at = integer();
    job.started_at = integer();
    job.ended_at = integer();
    job.process_token = text();
    job.num_launches = integer();
    job.detail = text();
    return job;
}

using Table = JobTable<Job>;

Table TableOf(JobKind kind) {
    return {kind == JobKind::kTransform ? "transform_jobs" : "tuning_jobs", "job", kColumns, FromRow};
}

}  // namespace

std::string_view ArnKind(JobKind kind) {
    return kind == JobKind::kTransform ? "transform-job" : "hyper-parameter-tuning-job";
}

Result<Job> JobRows::Insert(const NewJob& job) {
    const Table table = TableOf(kind_);
    Job inserted;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        TRY(table.CheckNameIsFree(sql, job.scope, job.name));
        const std::int64_t id = NextJobId(sql, table.name());
        sql << fmt::format(
            "INSERT INTO {} (id, account, region, name, request, invocation_id, status, failure_reason, created_at, "
            "modified_at, started_at, ended_at, process_token, num_launches, detail) VALUES (:id, "
            ":account, :region, :name, :request, :invocation, 'InProgress', '', "
            ":created, :modified, 0, 0, '', 0, :detail)",
            table.name()),
            soci::use(id, "id"), soci::use(job.scope.account, "account"), soci::use(job.scope.region, "region"),
            soci::use(job.name, "name"), soci::use(job.request, "request"), soci::use(job.invocation_id, "invocation"),
            soci::use(job.created_at, "created"), soci::use(job.created_at, "modified"),
            soci::use(job.detail, "detail");
        inserted = TRY(table.ByName(sql, job.scope, job.name));
        return AddTags(sql, job.arn, job.tags);
    }));
    return inserted;
}

Result<bool> JobRows::ExistsFolded(const Scope& scope, const std::string& name) {
    return TableOf(kind_).ExistsFolded(database_, scope, name);
}

Result<Job> JobRows::Find(const Scope& scope, const std::string& name) {
    Job job;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        job = TRY(TableOf(kind_).ByName(sql, scope, name));
        return {};
    }));
    return job;
}

Result<Job> JobRows::FindById(std::int64_t id) {
    Job job;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        job = TRY(TableOf(kind_).ById(sql, id));
        return {};
    }));
    return job;
}

Result<void> JobRows::NoteLaunch(std::int64_t id, const std::string& process_token, UnixMillis now) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        const Job job = TRY(TableOf(kind_).ById(sql, id));
        const UnixMillis time = std::max(now, job.modified_at);
        const UnixMillis started_at = job.started_at == 0 ? time : job.started_at;
        sql << fmt::format(
            "UPDATE {} SET process_token = :token, num_launches = num_launches + 1, started_at = :started, "
            "modified_at = :now WHERE id = :id",
            TableOf(kind_).name()),
            soci::use(process_token, "token"), soci::use(started_at, "started"), soci::use(time, "now"),
            soci::use(id, "id");
        return {};
    });
}

Result<void> JobRows::SetDetail(std::int64_t id, const std::string& detail, UnixMillis now) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << fmt::format("UPDATE {} SET detail = :detail, modified_at = max(modified_at, :now) WHERE id = :id",
                           TableOf(kind_).name()),
            soci::use(detail, "detail"), soci::use(now, "now"), soci::use(id, "id");
        return {};
    });
}

Result<void> JobRows::End(std::int64_t id, JobStatus status, const std::string& failure_reason, UnixMillis now) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        const Job job = TRY(TableOf(kind_).ById(sql, id));
        if (IsTerminal(job.status)) return Error(ErrorCode::kConflict, std::string(ToString(job.status)));
        const UnixMillis time = std::max(now, job.modified_at);
        const std::string word(ToString(status));
        sql << fmt::format(
            "UPDATE {} SET status = :status, failure_reason = :reason, modified_at = :now, ended_at = :ended WHERE id "
            "= :id",
            TableOf(kind_).name()),
            soci::use(word, "status"), soci::use(failure_reason, "reason"), soci::use(time, "now"),
            soci::use(time, "ended"), soci::use(id, "id");
        return {};
    });
}

Result<Job> JobRows::RequestStop(const Scope& scope, const std::string& name, UnixMillis now) {
    Job stopped;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        const Job job = TRY(TableOf(kind_).ByName(sql, scope, name));
        if (IsTerminal(job.status)) return Error(ErrorCode::kConflict, std::string(ToString(job.status)));
        const UnixMillis time = std::max(now, job.modified_at);
        sql << fmt::format("UPDATE {} SET status = 'Stopping', modified_at = :now WHERE id = :id",
                           TableOf(kind_).name()),
            soci::use(time, "now"), soci::use(job.id, "id");
        stopped = TRY(TableOf(kind_).ById(sql, job.id));
        return {};
    }));
    return stopped;
}

Result<void> JobRows::Delete(const Scope& scope, const std::string& name, const std::string& arn) {
    return TableOf(kind_).Delete(database_, scope, name, arn);
}

Result<std::vector<Job>> JobRows::Unfinished() {
    return TableOf(kind_).Unfinished(database_);
}

Result<JobPage<Job>> JobRows::List(const JobQuery& query) {
    return TableOf(kind_).List(database_, query);
}

}  // namespace espalier::meta
