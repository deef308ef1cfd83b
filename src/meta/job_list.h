// What all kinds of jobs have in common as rows: a status, and lists with filters, an order and pages.
//
// Nouns: JobStatus (what callers branch on), JobQuery, JobCursor, JobPage. A table of jobs is a meta/row_list.h one
// with ids. Internal to meta/ but for the values; pure functions and one that reads.
#pragma once

#include <fmt/format.h>
#include <soci/soci.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "meta/database.h"
#include "meta/job_query.h"
#include "meta/row_list.h"

namespace espalier::meta {

ListQuery ListQueryOf(const JobQuery& query);
/// The id for the next job of `table`, inside the transaction that inserts it. Ids of deleted jobs do not come again.
std::int64_t NextJobId(soci::session& sql, std::string_view table);
/// True when `table` has a job of that name in any case.
bool JobNameIsTaken(soci::session& sql, std::string_view table, const Scope& scope, const std::string& name);
/// Deletes the job inside a transaction of the caller's.
void DeleteJob(soci::session& sql, std::string_view table, std::int64_t id);

/// One page of `table`. `from_row` makes a Job of a row of `columns`; a Job has name, id, status and created_at.
template <typename Job, typename FromRow>
Result<JobPage<Job>> ListJobs(Database& database, std::string_view table, std::string_view columns,
                              const JobQuery& query, FromRow&& from_row) {
    const ListedTable listed = {.name = table, .tie = "id", .has_status_orders = true, .has_modification_index = true};
    const ListQuery rows = ListQueryOf(query);
    JobPage<Job> page;
    TRY(database.Read([&](soci::session& sql) -> Result<void> {
        PagePlan plan = TRY(PlanPage(sql, listed, rows));
        FetchRows(sql, fmt::format("SELECT {} {}", columns, plan.rows), plan.values,
                  [&](const soci::row& row) { page.jobs.push_back(from_row(row)); });
        const auto place_of = [&](const Job& job) {
            const JobCursor cursor = CursorOf(query.sort, job);
            return ListCursor{.key = cursor.key, .tie = std::to_string(cursor.id)};
        };
        if (const auto place = EndPage(page.jobs, query.limit, plan, place_of)) page.next = TRY(JobCursorOf(*place));
        return {};
    }));
    return page;
}

}  // namespace espalier::meta
