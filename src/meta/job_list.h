// What all kinds of jobs have in common as rows: a status, and lists with filters, an order and pages.
//
// Nouns: JobStatus (what callers branch on), JobQuery, JobCursor, JobPage. A table of jobs has the columns account,
// region, name, id, status, created_at and modified_at, and an index of (account, region, <column>, id) for each order,
// so a page costs what it shows: it begins behind the cursor's row, not at the first one. Internal to meta/ but for the
// values; pure functions and one that reads.
#pragma once

#include <fmt/format.h>
#include <soci/soci.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "meta/database.h"
#include "meta/job_query.h"
#include "meta/read_rows.h"

namespace espalier::meta {

/// kInvalidArgument for a cursor that is none of ours.
Result<Conditions> ConditionsOf(const JobQuery& query);
std::string_view ColumnOf(JobSort sort);

/// The id for the next job of `table`, inside the transaction that inserts it. Ids of deleted jobs do not come again.
std::int64_t NextJobId(soci::session& sql, std::string_view table);
/// Deletes the job inside a transaction of the caller's.
void DeleteJob(soci::session& sql, std::string_view table, std::int64_t id);

/// One page of `table`. `from_row` makes a Job of a row of `columns`; a Job has name, id, status and created_at.
template <typename Job, typename FromRow>
Result<JobPage<Job>> ListJobs(Database& database, std::string_view table, std::string_view columns,
                              const JobQuery& query, FromRow&& from_row) {
    Conditions conditions = TRY(ConditionsOf(query));
    const std::string_view direction = query.descending ? "DESC" : "ASC";
    // One row more than asked for tells whether there is a next page.
    const std::string statement =
        fmt::format("SELECT {} FROM {} WHERE {} ORDER BY {} {}, id {} LIMIT {}", columns, table, conditions.text,
                    ColumnOf(query.sort), direction, direction, query.limit + 1);
    JobPage<Job> page;
    TRY(ReadRows(database, statement, conditions, [&](const soci::row& row) { page.jobs.push_back(from_row(row)); }));
    if (page.jobs.size() > query.limit) {
        page.jobs.resize(query.limit);
        page.next = CursorOf(query.sort, page.jobs.back());
    }
    return page;
}

}  // namespace espalier::meta
