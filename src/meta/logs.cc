#include "meta/logs.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "meta/key_prefix.h"
#include "meta/log_groups.h"
#include "meta/read_rows.h"

namespace espalier::meta {
namespace {

constexpr std::string_view kStreamColumns =
    "id, log_group, name, created_at, first_event_at, last_event_at, last_ingested_at, end_position";

LogStream StreamFromRow(const soci::row& row) {
    return {.id = row.get<long long>(0),
            .group = row.get<std::string>(1),
            .name = row.get<std::string>(2),
            .created_at = row.get<long long>(3),
            .first_event_at = row.get<long long>(4),
            .last_event_at = row.get<long long>(5),
            .last_ingested_at = row.get<long long>(6),
            .end_position = row.get<long long>(7)};
}

Result<LogStream> ReadStream(soci::session& sql, const Scope& scope, const std::string& group,
                             const std::string& name) {
    const soci::rowset<soci::row> rows =
        (sql.prepare << fmt::format("SELECT {} FROM log_streams WHERE account = :account AND region = :region AND "
                                    "log_group = :log_group AND name = :name",
                                    kStreamColumns),
         soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(group, "log_group"),
         soci::use(name, "name"));
    for (const soci::row& row : rows) return StreamFromRow(row);
    return Error(ErrorCode::kNotFound, fmt::format("there is no log stream {} in {}", name, group));
}

/// The id of the stream, which is made when it is new.
Result<std::int64_t> FindOrMakeStream(soci::session& sql, const Scope& scope, const std::string& group,
                                      const std::string& name, UnixMillis now) {
    if (const Result<LogStream> known = ReadStream(sql, scope, group, name)) return known->id;
    const std::int64_t group_id = FindOrMakeLogGroup(sql, scope, group, now);
    const std::int64_t id = NextLogId(sql);
    sql << "INSERT INTO log_streams (id, account, region, log_group, name, created_at, first_event_at, last_event_at, "
           "last_ingested_at, group_id) VALUES (:id, :account, :region, :log_group, :name, :now, 0, 0, 0, :group_id)",
        soci::use(id, "id"), soci::use(scope.account, "account"), soci::use(scope.region, "region"),
        soci::use(group, "log_group"), soci::use(name, "name"), soci::use(now, "now"), soci::use(group_id, "group_id");
    return id;
}

Result<void> AppendTo(soci::session& sql, std::int64_t stream_id, std::span<const LogEvent> events) {
    long long position = 0;
    long long group_id = 0;
    long long first_time = 0;
    long long last_time = 0;
    sql << "SELECT group_id, first_event_at, last_event_at, end_position FROM log_streams WHERE id = :id",
        soci::into(group_id), soci::into(first_time), soci::into(last_time), soci::into(position),
        soci::use(stream_id, "id");
    if (group_id == 0) return Error(ErrorCode::kNotFound, "the log stream was deleted");
    bool in_order = true;
    LogEvent event;
    soci::statement insert =
        (sql.prepare << "INSERT INTO log_events (stream_id, position, time, ingested_at, message, group_id) "
                        "VALUES (:id, :position, :time, :ingested, :message, :group_id)",
         soci::use(stream_id, "id"), soci::use(position, "position"), soci::use(event.time, "time"),
         soci::use(event.ingested_at, "ingested"), soci::use(event.message, "message"),
         soci::use(group_id, "group_id"));
    for (const LogEvent& next : events) {
        event = next;
        in_order = in_order && event.time >= last_time;
        last_time = event.time;
        insert.execute(true);
        ++position;
    }
    if (first_time == 0) first_time = events.front().time;
    if (!in_order) sql << "UPDATE log_streams SET in_order = 0 WHERE id = :id", soci::use(stream_id, "id");
    sql << "UPDATE log_streams SET first_event_at = :first, last_event_at = :time, last_ingested_at = :ingested, "
           "end_position = :end WHERE id = :id",
        soci::use(first_time, "first"), soci::use(event.time, "time"), soci::use(event.ingested_at, "ingested"),
        soci::use(position, "end"), soci::use(stream_id, "id");
    return {};
}

void AddBound(Conditions& conditions, std::string_view comparison, const std::string& name,
              const std::optional<std::int64_t>& value) {
    if (!value) return;
    conditions.text += fmt::format(" AND {} :{}", comparison, name);
    conditions.integers.emplace_back(name, *value);
}

/// In a stream whose events are in the order of their times: the position of the first at or after that time.
std::optional<std::int64_t> PositionOf(soci::session& sql, std::int64_t stream_id, UnixMillis time) {
    std::optional<std::int64_t> found;
    Conditions none;
    FetchRows(sql,
              fmt::format("SELECT position FROM log_events INDEXED BY log_events_by_time WHERE stream_id = {} AND time "
                          ">= {} ORDER BY time, position LIMIT 1",
                          stream_id, time),
              none, [&](const soci::row& row) { found = row.get<long long>(0); });
    return found;
}

/// Times as positions, so that nothing outside of them is looked at.
Conditions InPositions(soci::session& sql, const LogEventQuery& query) {
    constexpr std::int64_t kBehindAll = std::numeric_limits<std::int64_t>::max();
    std::optional<std::int64_t> from = query.from;
    std::optional<std::int64_t> before = query.before;
    if (query.start_time) {
        const std::int64_t first = PositionOf(sql, query.stream_id, *query.start_time).value_or(kBehindAll);
        from = std::max(from.value_or(first), first);
    }
    if (query.end_time) {
        const std::int64_t end = PositionOf(sql, query.stream_id, *query.end_time).value_or(kBehindAll);
        before = std::min(before.value_or(end), end);
    }
    Conditions conditions = {.text = "stream_id = :id", .integers = {{"id", query.stream_id}}};
    AddBound(conditions, "position >=", "from", from);
    AddBound(conditions, "position <", "before", before);
    return conditions;
}

/// Where clients put events out of order: everything in these times is looked at, and nothing else.
Conditions InTimes(const LogEventQuery& query) {
    Conditions conditions = {.text = "stream_id = :id", .integers = {{"id", query.stream_id}}};
    AddBound(conditions, "time >=", "start", query.start_time);
    AddBound(conditions, "time <", "end", query.end_time);
    AddBound(conditions, "position >=", "from", query.from);
    AddBound(conditions, "position <", "before", query.before);
    return conditions;
}

}  // namespace

Result<std::int64_t> Logs::OpenStream(const Scope& scope, const std::string& group, const std::string& name,
                                      UnixMillis now) {
    std::int64_t id = 0;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        id = TRY(FindOrMakeStream(sql, scope, group, name, now));
        return {};
    }));
    return id;
}

Result<void> Logs::Append(std::int64_t stream_id, std::span<const LogEvent> events) {
    if (events.empty()) return {};
    return database_.Write([&](soci::session& sql) { return AppendTo(sql, stream_id, events); });
}

Result<void> Logs::Append(const Scope& scope, const std::string& group, const std::string& name,
                          std::span<const LogEvent> events) {
    if (events.empty()) return {};
    return database_.Write([&](soci::session& sql) -> Result<void> {
        const std::int64_t stream = TRY(FindOrMakeStream(sql, scope, group, name, events.front().ingested_at));
        return AppendTo(sql, stream, events);
    });
}

Result<LogStream> Logs::FindStream(const Scope& scope, const std::string& group, const std::string& name) {
    LogStream stream;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        stream = TRY(ReadStream(sql, scope, group, name));
        return {};
    }));
    return stream;
}

Result<std::vector<LogStream>> Logs::Streams(const LogStreamQuery& query) {
    std::string conditions = "account = :account AND region = :region AND log_group = :log_group";
    std::vector<std::pair<std::string, std::string>> texts = {
        {"account", query.scope.account}, {"region", query.scope.region}, {"log_group", query.group}};
    if (!query.name_prefix.empty()) {
        conditions += " AND name >= :prefix";
        texts.emplace_back("prefix", query.name_prefix);
        if (std::string end = EndOfPrefix(query.name_prefix); !end.empty()) {
            conditions += " AND name < :prefix_end";
            texts.emplace_back("prefix_end", std::move(end));
        }
    }
    const char sign = query.descending ? '<' : '>';
    if (query.after && query.by_last_event)
        conditions += fmt::format(" AND (last_event_at, name) {} ({}, :after)", sign, query.after->last_event_at);
    if (query.after && !query.by_last_event) conditions += fmt::format(" AND name {} :after", sign);
    if (query.after) texts.emplace_back("after", query.after->name);
    const std::string_view direction = query.descending ? "DESC" : "ASC";
    const std::string order = query.by_last_event ? fmt::format("last_event_at {}, name {}", direction, direction)
                                                  : fmt::format("name {}", direction);
    const std::string text = fmt::format("SELECT {} FROM log_streams WHERE {} ORDER BY {} LIMIT {}", kStreamColumns,
                                         conditions, order, query.limit);
    std::vector<LogStream> streams;
    Conditions values = {.text = "", .texts = std::move(texts)};
    TRY(ReadRows(database_, text, values, [&](const soci::row& row) { streams.push_back(StreamFromRow(row)); }));
    return streams;
}

Result<std::vector<LogEvent>> Logs::Events(const LogEventQuery& query) {
    std::vector<LogEvent> events;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        long long in_order = 0;
        sql << "SELECT in_order FROM log_streams WHERE id = :id", soci::into(in_order),
            soci::use(query.stream_id, "id");
        const bool by_time = in_order == 0 && (query.start_time || query.end_time);
        Conditions values = by_time ? InTimes(query) : InPositions(sql, query);
        const std::string text = fmt::format(
            "SELECT position, time, ingested_at, message FROM log_events {} WHERE {} ORDER BY position {} LIMIT {}",
            by_time ? "INDEXED BY log_events_by_time" : "", values.text, query.newest_first ? "DESC" : "ASC",
            query.limit);
        FetchRows(sql, text, values, [&](const soci::row& row) {
            events.push_back({.position = row.get<long long>(0),
                              .time = row.get<long long>(1),
                              .ingested_at = row.get<long long>(2),
                              .message = row.get<std::string>(3)});
        });
        return {};
    }));
    if (query.newest_first) std::reverse(events.begin(), events.end());
    return events;
}

}  // namespace espalier::meta
