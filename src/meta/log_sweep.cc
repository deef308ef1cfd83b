#include "meta/log_sweep.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <vector>

#include "meta/log_groups.h"
#include "meta/read_rows.h"

namespace espalier::meta {
namespace {

/// A deleted stream, whose row has no account; 0 when there is none.
long long FindDeleted(soci::session& sql) {
    long long id = 0;
    sql << "SELECT coalesce((SELECT id FROM log_streams WHERE account = '' LIMIT 1), 0)", soci::into(id);
    return id;
}

long long DropOldest(soci::session& sql, long long stream_id, std::int64_t events_max) {
    Conditions values = {.text = "", .integers = {{"id", stream_id}, {"same", stream_id}, {"count", events_max}}};
    return ChangeRows(sql,
                      "DELETE FROM log_events WHERE stream_id = :id AND position IN (SELECT position FROM log_events "
                      "WHERE stream_id = :same ORDER BY position LIMIT :count)",
                      values);
}

/// The groups some of whose events have expired, with the time before which they have.
std::vector<std::pair<std::int64_t, UnixMillis>> FindExpired(soci::session& sql, UnixMillis now) {
    std::vector<std::pair<std::int64_t, UnixMillis>> found;
    Conditions none;
    FetchRows(sql, "SELECT id, retention_days FROM log_groups WHERE retention_days > 0", none,
              [&](const soci::row& row) {
                  const LogGroup group = {.id = row.get<int>(0), .retention_days = row.get<long long>(1)};
                  found.emplace_back(group.id, *group.OldestKept(now));
              });
    std::erase_if(found, [&](const auto& group) {
        long long expired = 0;
        sql << "SELECT EXISTS (SELECT 1 FROM log_events INDEXED BY log_events_of_groups_by_time WHERE group_id = :id "
               "AND time < :oldest)",
            soci::into(expired), soci::use(group.first, "id"), soci::use(group.second, "oldest");
        return expired == 0;
    });
    return found;
}

/// Of one group, with the streams' own word for when they begin.
long long DropBefore(soci::session& sql, std::int64_t group_id, UnixMillis oldest, std::int64_t events_max) {
    Conditions events = {.text = "", .integers = {{"id", group_id}, {"oldest", oldest}, {"count", events_max}}};
    const long long num_dropped =
        ChangeRows(sql,
                   "DELETE FROM log_events WHERE (stream_id, position) IN (SELECT stream_id, position FROM log_events "
                   "INDEXED BY log_events_of_groups_by_time WHERE group_id = :id AND time < :oldest LIMIT :count)",
                   events);
    Conditions streams = {.text = "", .integers = {{"id", group_id}, {"oldest", oldest}}};
    ChangeRows(
        sql,
        "UPDATE log_streams SET first_event_at = coalesce((SELECT min(time) FROM log_events INDEXED BY "
        "log_events_by_time WHERE stream_id = log_streams.id), 0) WHERE (account, region, log_group) IN (SELECT "
        "account, region, name FROM log_groups WHERE id = :id) AND first_event_at > 0 AND first_event_at < :oldest",
        streams);
    return num_dropped;
}

}  // namespace

Result<bool> LogSweep::DropDeleted(std::int64_t events_max) {
    long long id = 0;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        id = FindDeleted(sql);
        return {};
    }));
    if (id == 0) return false;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        // A stream costs as much as an event.
        for (std::int64_t left = events_max; left > 0; --left) {
            const long long stream = FindDeleted(sql);
            if (stream == 0) return {};
            left -= DropOldest(sql, stream, left);
            if (left > 0) sql << "DELETE FROM log_streams WHERE id = :id", soci::use(stream, "id");
        }
        return {};
    }));
    return true;
}

Result<bool> LogSweep::DropExpired(UnixMillis now, std::int64_t events_max) {
    bool any = false;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        any = !FindExpired(sql, now).empty();
        return {};
    }));
    if (!any) return false;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        std::int64_t left = events_max;
        for (const auto& [group, oldest] : FindExpired(sql, now))
            if (left > 0) left -= DropBefore(sql, group, oldest, left);
        return {};
    }));
    return true;
}

}  // namespace espalier::meta
