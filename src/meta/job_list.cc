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

void AddText(Conditions& conditions, std::string_view condition, std::string name, std::string value) {
    conditions.text += fmt::format(" AND {}", condition);
    conditions.texts.emplace_back(std::move(name), std::move(value));
}

void AddTime(Conditions& conditions, std::string_view condition, std::string name,
             const std::optional<UnixMillis>& value) {
    if (!value) return;
    conditions.text += fmt::format(" AND {}", condition);
    conditions.integers.emplace_back(std::move(name), *value);
}

Result<void> AddCursor(Conditions& conditions, const JobQuery& query) {
    conditions.text +=
        fmt::format(" AND ({}, id) {} (:cursor_key, :cursor_id)", ColumnOf(query.sort), query.descending ? "<" : ">");
    const std::string& key = query.after->key;
    if (query.sort == JobSort::kCreationTime) {
        long long time = 0;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), time);
        if (error != std::errc() || end != key.data() + key.size()) {
            return Error(ErrorCode::kInvalidArgument, "the cursor is none of this list");
        }
        conditions.integers.emplace_back("cursor_key", time);
    } else {
        conditions.texts.emplace_back("cursor_key", key);
    }
    conditions.integers.emplace_back("cursor_id", query.after->id);
    return {};
}

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

std::string_view ColumnOf(JobSort sort) {
    switch (sort) {
        case JobSort::kCreationTime:
            return "created_at";
        case JobSort::kName:
            return "name";
        case JobSort::kStatus:
            return "status";
    }
    CHECK(false, "job sort {}", static_cast<int>(sort));
    return "";
}

JobCursor MakeCursor(JobSort sort, UnixMillis created_at, const std::string& name, JobStatus status, std::int64_t id) {
    switch (sort) {
        case JobSort::kCreationTime:
            return {.key = std::to_string(created_at), .id = id};
        case JobSort::kName:
            return {.key = name, .id = id};
        case JobSort::kStatus:
            return {.key = std::string(ToString(status)), .id = id};
    }
    CHECK(false, "job sort {}", static_cast<int>(sort));
    return {};
}

Result<Conditions> ConditionsOf(const JobQuery& query) {
    Conditions conditions = {.text = "account = :account AND region = :region",
                             .texts = {{"account", query.scope.account}, {"region", query.scope.region}}};
    if (!query.name_contains.empty()) {
        AddText(conditions, "instr(lower(name), lower(:contains)) > 0", "contains", query.name_contains);
    }
    if (query.status) AddText(conditions, "status = :status", "status", std::string(ToString(*query.status)));
    AddTime(conditions, "created_at > :created_after", "created_after", query.created_after);
    AddTime(conditions, "created_at < :created_before", "created_before", query.created_before);
    AddTime(conditions, "modified_at > :modified_after", "modified_after", query.modified_after);
    AddTime(conditions, "modified_at < :modified_before", "modified_before", query.modified_before);
    if (query.after) TRY(AddCursor(conditions, query));
    return conditions;
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

void DeleteJob(soci::session& sql, std::string_view table, std::int64_t id) {
    const std::string name(table);
    sql << "INSERT INTO deleted_jobs (job_table, last_id) VALUES (:name, :id) ON CONFLICT (job_table) DO UPDATE SET "
           "last_id = max(last_id, excluded.last_id)",
        soci::use(name, "name"), soci::use(id, "id");
    sql << fmt::format("DELETE FROM {} WHERE id = :id", table), soci::use(id, "id");
}

}  // namespace espalier::meta
