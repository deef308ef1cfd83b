#include "meta/job_list.h"

#include <array>
#include <charconv>

#include "base/check.h"

namespace espalier::meta {
namespace {

constexpr std::array<std::pair<JobStatus, std::string_view>, 5> kStatusWords = {{
    {JobStatus::kInProgress, "InProgress"},
    {JobStatus::kStopping, "Stopping"},
    {JobStatus::kCompleted, "Completed"},
    {JobStatus::kFailed, "Failed"},
    {JobStatus::kStopped, "Stopped"},
}};

}  // namespace

std::string_view ToString(JobStatus status) {
    for (const auto& [value, word] : kStatusWords) {
        if (value == status) return word;
    }
    CHECK(false, "job status {}", static_cast<int>(status));
    return "";
}

std::optional<JobStatus> JobStatusOf(std::string_view word) {
    for (const auto& [status, text] : kStatusWords) {
        if (text == word) return status;
    }
    return std::nullopt;
}

JobCursor MakeCursor(ListSort sort, UnixMillis created_at, const std::string& name, JobStatus status, std::int64_t id) {
    switch (sort) {
        case ListSort::kCreationTime:
            return {.key = std::to_string(created_at), .id = id};
        case ListSort::kName:
            return {.key = name, .id = id};
        case ListSort::kStatus:
            return {.key = std::string(ToString(status)), .id = id};
    }
    CHECK(false, "job sort {}", static_cast<int>(sort));
    return {};
}

ListQuery ListQueryOf(const JobQuery& query) {
    ListQuery rows = {.scope = query.scope,
                      .name_contains = query.name_contains,
                      .status = query.status ? std::string(ToString(*query.status)) : "",
                      .created_after = query.created_after,
                      .created_before = query.created_before,
                      .modified_after = query.modified_after,
                      .modified_before = query.modified_before,
                      .sort = query.sort,
                      .descending = query.descending,
                      .limit = query.limit};
    if (query.after) rows.after = ListCursor{.key = query.after->key, .tie = std::to_string(query.after->id)};
    return rows;
}

Result<JobCursor> JobCursorOf(const ListCursor& place) {
    JobCursor cursor = {.key = place.key};
    const char* end = place.tie.data() + place.tie.size();
    const auto [stop, error] = std::from_chars(place.tie.data(), end, cursor.id);
    if (error != std::errc() || stop != end)
        return Error(ErrorCode::kInvalidArgument, "the cursor is none of this list");
    return cursor;
}

std::int64_t NextJobId(soci::session& sql, std::string_view table) {
    const std::string name(table);
    long long last = 0;
    sql << fmt::format(
        "SELECT max((SELECT coalesce(max(id), 0) FROM {}), (SELECT coalesce(max(last_id), 0) FROM deleted_jobs WHERE "
        "job_table = :name))",
        table),
        soci::use(name, "name"), soci::into(last);
    return last + 1;
}

bool JobNameIsTaken(soci::session& sql, std::string_view table, const Scope& scope, const std::string& name) {
    int taken = 0;
    sql << fmt::format(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE account = :account AND region = :region AND lower(name) = "
        "lower(:name))",
        table),
        soci::into(taken), soci::use(scope.account, "account"), soci::use(scope.region, "region"),
        soci::use(name, "name");
    return taken != 0;
}

void DeleteJob(soci::session& sql, std::string_view table, std::int64_t id) {
    const std::string name(table);
    sql << "INSERT INTO deleted_jobs (job_table, last_id) VALUES (:name, :id) ON CONFLICT (job_table) DO UPDATE SET "
           "last_id = max(last_id, excluded.last_id)",
        soci::use(name, "name"), soci::use(id, "id");
    sql << fmt::format("DELETE FROM {} WHERE id = :id", table), soci::use(id, "id");
}

}  // namespace espalier::meta
