#include "meta/log_search.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <algorithm>
#include <tuple>

#include "meta/key_prefix.h"
#include "meta/read_rows.h"

namespace espalier::meta {
namespace {

constexpr std::string_view kEventColumns = "e.stream_id, s.name, e.position, e.time, e.ingested_at, e.message";
constexpr std::string_view kOrder = "e.time, e.stream_id, e.position";

FoundLogEvent FromRow(const soci::row& row) {
    return {.stream_id = row.get<long long>(0),
            .stream = row.get<std::string>(1),
            .event = {.position = row.get<long long>(2),
                      .time = row.get<long long>(3),
                      .ingested_at = row.get<long long>(4),
                      .message = row.get<std::string>(5)}};
}

LogPlace PlaceOf(const FoundLogEvent& found) {
    return {.time = found.event.time, .stream_id = found.stream_id, .position = found.event.position};
}

std::string TimeConditions(const LogSearchQuery& query) {
    std::string conditions;
    if (query.start_time) conditions += fmt::format(" AND e.time >= {}", *query.start_time);
    if (query.end_time) conditions += fmt::format(" AND e.time <= {}", *query.end_time);
    if (query.after)
        conditions += fmt::format(" AND (e.time, e.stream_id, e.position) > ({}, {}, {})", query.after->time,
                                  query.after->stream_id, query.after->position);
    return conditions;
}

/// The streams that the query names, or whose names have its prefix: at most one more than kMergedStreamsMax.
std::vector<std::int64_t> StreamsOf(soci::session& sql, const LogSearchQuery& query) {
    Conditions values = {
        .text = "account = :account AND region = :region AND log_group = :log_group",
        .texts = {{"account", query.scope.account}, {"region", query.scope.region}, {"log_group", query.group}}};
    std::string names;
    for (std::size_t i = 0; i < query.streams.size(); ++i) {
        names += fmt::format("{}:stream{}", i == 0 ? "" : ", ", i);
        values.texts.emplace_back(fmt::format("stream{}", i), query.streams[i]);
    }
    if (!names.empty()) values.text += fmt::format(" AND name IN ({})", names);
    if (!query.stream_prefix.empty()) {
        values.text += " AND name >= :prefix AND name < :prefix_end";
        values.texts.emplace_back("prefix", query.stream_prefix);
        values.texts.emplace_back("prefix_end", EndOfPrefix(query.stream_prefix));
    }
    std::vector<std::int64_t> streams;
    FetchRows(sql, fmt::format("SELECT id FROM log_streams WHERE {} LIMIT {}", values.text, kMergedStreamsMax + 1),
              values, [&](const soci::row& row) { streams.push_back(row.get<long long>(0)); });
    return streams;
}

/// The oldest events of the streams together. Each is read for its share of the limit, so what comes behind the end of
/// one that has more is left for the next page.
FoundLogEvents Merge(soci::session& sql, const std::vector<std::int64_t>& streams, const LogSearchQuery& query) {
    constexpr std::size_t kShareMin = 200;
    const std::size_t share = std::max(kShareMin, query.limit / std::max<std::size_t>(1, streams.size()));
    const auto comes_before = [](const LogPlace& a, const LogPlace& b) {
        return std::tuple(a.time, a.stream_id, a.position) < std::tuple(b.time, b.stream_id, b.position);
    };
    FoundLogEvents found;
    const std::string times = TimeConditions(query);
    for (const std::int64_t stream : streams) {
        Conditions none;
        std::size_t count = 0;
        FetchRows(sql,
                  fmt::format("SELECT {} FROM log_events e INDEXED BY log_events_by_time CROSS JOIN log_streams s ON "
                              "s.id = e.stream_id WHERE e.stream_id = {}{} ORDER BY e.time, e.position LIMIT {}",
                              kEventColumns, stream, times, share),
                  none, [&](const soci::row& row) {
                      found.events.push_back(FromRow(row));
                      ++count;
                  });
        if (count < share) continue;
        const LogPlace end = PlaceOf(found.events.back());
        if (!found.next || comes_before(end, *found.next)) found.next = end;
    }
    std::sort(found.events.begin(), found.events.end(),
              [&](const FoundLogEvent& a, const FoundLogEvent& b) { return comes_before(PlaceOf(a), PlaceOf(b)); });
    if (found.next)
        std::erase_if(found.events, [&](const auto& event) { return comes_before(*found.next, PlaceOf(event)); });
    return found;
}

/// The oldest events of the whole group; those of other streams than asked for are passed over.
FoundLogEvents Follow(soci::session& sql, const LogSearchQuery& query) {
    FoundLogEvents found;
    Conditions values = {
        .text = "",
        .texts = {{"account", query.scope.account}, {"region", query.scope.region}, {"log_group", query.group}}};
    std::size_t looked_at = 0;
    FetchRows(sql,
              fmt::format("SELECT {} FROM log_groups g CROSS JOIN log_events e INDEXED BY log_events_of_groups_by_time "
                          "ON e.group_id = g.id CROSS JOIN log_streams s ON s.id = e.stream_id AND s.group_id = g.id "
                          "WHERE g.account = "
                          ":account AND g.region = :region AND g.name = :log_group{} ORDER BY {} LIMIT {}",
                          kEventColumns, TimeConditions(query), kOrder, query.limit),
              values, [&](const soci::row& row) {
                  ++looked_at;
                  FoundLogEvent event = FromRow(row);
                  if (looked_at == query.limit) found.next = PlaceOf(event);
                  if (event.stream.starts_with(query.stream_prefix)) found.events.push_back(std::move(event));
              });
    return found;
}

}  // namespace

Result<FoundLogEvents> LogSearch::Find(const LogSearchQuery& query) {
    FoundLogEvents found;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const std::vector<std::int64_t> streams = StreamsOf(sql, query);
        found = streams.size() <= kMergedStreamsMax ? Merge(sql, streams, query) : Follow(sql, query);
        return {};
    }));
    return found;
}

}  // namespace espalier::meta
