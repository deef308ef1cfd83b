// The table of one kind of job: what all kinds ask of their rows alike. Internal to meta/.
//
// A Row has id, name, status and created_at; `from_row` makes one of a row of `columns`. Immutable.
#pragma once

#include <fmt/format.h>
#include <soci/soci.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "meta/database.h"
#include "meta/job_list.h"
#include "meta/tags.h"

namespace espalier::meta {

template <typename Row>
class JobTable {
  public:
    /// `noun` is how messages call a job: "training job".
    constexpr JobTable(std::string_view name, std::string_view noun, std::string_view columns,
                       Row (*from_row)(const soci::row&))
        : name_(name), noun_(noun), columns_(columns), from_row_(from_row) {}

    std::string_view name() const { return name_; }

    /// kNotFound, as ByName.
    Result<Row> ById(soci::session& sql, std::int64_t id) const {
        const soci::rowset<soci::row> rows = (sql.prepare << Select("id = :id"), soci::use(id, "id"));
        for (const soci::row& row : rows) return from_row_(row);
        return NoSuchJob(std::to_string(id));
    }
    Result<Row> ByName(soci::session& sql, const Scope& scope, const std::string& job) const {
        const soci::rowset<soci::row> rows =
            (sql.prepare << Select("account = :account AND region = :region AND name = :name"),
             soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(job, "name"));
        for (const soci::row& row : rows) return from_row_(row);
        return NoSuchJob(job);
    }
    /// In any case.
    bool HasName(soci::session& sql, const Scope& scope, const std::string& job) const {
        return JobNameIsTaken(sql, name_, scope, job);
    }
    Result<bool> ExistsFolded(Database& database, const Scope& scope, const std::string& job) const {
        bool exists = false;
        TRY(database.Read([&](soci::session& sql) -> Result<void> {
            exists = HasName(sql, scope, job);
            return {};
        }));
        return exists;
    }
    /// kAlreadyExists.
    Result<void> CheckNameIsFree(soci::session& sql, const Scope& scope, const std::string& job) const {
        if (!HasName(sql, scope, job)) return {};
        return Error(ErrorCode::kAlreadyExists, fmt::format("there is a {} {} already", noun_, job));
    }
    /// With its tags. kNotFound; kConflict with the status as the message for one that has not ended.
    Result<void> Delete(Database& database, const Scope& scope, const std::string& job, const std::string& arn) const {
        return database.Write([&](soci::session& sql) -> Result<void> {
            const Row row = TRY(ByName(sql, scope, job));
            if (!IsTerminal(row.status)) return Error(ErrorCode::kConflict, std::string(ToString(row.status)));
            DeleteJob(sql, name_, row.id);
            DropTags(sql, arn);
            return {};
        });
    }
    /// Oldest first.
    Result<std::vector<Row>> Unfinished(Database& database) const {
        std::vector<Row> jobs;
        TRY(database.Read([&](soci::session& sql) -> Result<void> {
            const soci::rowset<soci::row> rows =
                (sql.prepare << Select("status IN ('InProgress', 'Stopping') ORDER BY id"));
            for (const soci::row& row : rows) jobs.push_back(from_row_(row));
            return {};
        }));
        return jobs;
    }
    Result<JobPage<Row>> List(Database& database, const JobQuery& query) const {
        return ListJobs<Row>(database, name_, columns_, query, from_row_);
    }

  private:
    std::string Select(std::string_view conditions) const {
        return fmt::format("SELECT {} FROM {} WHERE {}", columns_, name_, conditions);
    }
    Error NoSuchJob(std::string_view job) const {
        return Error(ErrorCode::kNotFound, fmt::format("there is no {} {}", noun_, job));
    }

    std::string_view name_;
    std::string_view noun_;
    std::string_view columns_;
    Row (*from_row_)(const soci::row&);
};

}  // namespace espalier::meta
