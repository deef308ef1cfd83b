#include "meta/log_search.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "meta/read_rows.h"

namespace espalier::meta {
namespace {

// Groups that were created and groups that jobs and endpoints opened streams in.
constexpr std::string_view kAllGroups =
    "(SELECT account, region, name FROM log_groups UNION SELECT account, region, log_group FROM log_streams)";

using Texts = std::vector<std::pair<std::string, std::string>>;

std::string ConditionsOf(const LogSearchQuery& query, Texts& texts) {
    std::string conditions = "s.account = :account AND s.region = :region AND s.log_group = :log_group";
    texts = {{"account", query.scope.account}, {"region", query.scope.region}, {"log_group", query.group}};
    if (!query.stream_prefix.empty()) {
        conditions += " AND substr(s.name, 1, length(:prefix)) = :prefix_again";
        texts.emplace_back("prefix", query.stream_prefix);
        texts.emplace_back("prefix_again", query.stream_prefix);
    }
    if (!query.streams.empty()) {
        std::string names;
        for (std::size_t i = 0; i < query.streams.size(); ++i) {
            names += fmt::format("{}:stream{}", i == 0 ? "" : ", ", i);
            texts.emplace_back(fmt::format("stream{}", i), query.streams[i]);
        }
        conditions += fmt::format(" AND s.name IN ({})", names);
    }
    if (query.start_time) conditions += fmt::format(" AND e.time >= {}", *query.start_time);
    if (query.end_time) conditions += fmt::format(" AND e.time <= {}", *query.end_time);
    if (query.after)
        conditions += fmt::format(" AND (e.time, e.stream_id, e.position) > ({}, {}, {})", query.after->time,
                                  query.after->stream_id, query.after->position);
    return conditions;
}

}  // namespace

Result<std::vector<FoundLogEvent>> LogSearch::Find(const LogSearchQuery& query) {
    Texts texts;
    const std::string conditions = ConditionsOf(query, texts);
    const std::string text = fmt::format(
        "SELECT e.stream_id, s.name, e.position, e.time, e.ingested_at, e.message FROM log_streams s JOIN log_events e "
        "ON e.stream_id = s.id WHERE {} ORDER BY e.time, e.stream_id, e.position LIMIT {}",
        conditions, query.limit);
    std::vector<FoundLogEvent> found;
    Conditions values = {.text = "", .texts = std::move(texts)};
    TRY(ReadRows(database_, text, values, [&](const soci::row& row) {
        found.push_back({.stream_id = row.get<long long>(0),
                         .stream = row.get<std::string>(1),
                         .event = {.position = row.get<long long>(2),
                                   .time = row.get<long long>(3),
                                   .ingested_at = row.get<long long>(4),
                                   .message = row.get<std::string>(5)}});
    }));
    return found;
}

Result<void> LogSearch::CreateGroup(const Scope& scope, const std::string& group, UnixMillis now) {
    const bool known = TRY(HasGroup(scope, group));
    if (known) return Error(ErrorCode::kAlreadyExists, "The specified log group already exists");
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "INSERT OR IGNORE INTO log_groups (account, region, name, created_at) VALUES (:account, :region, :name, "
               ":now)",
            soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(group, "name"),
            soci::use(now, "now");
        return {};
    });
}

Result<bool> LogSearch::HasGroup(const Scope& scope, const std::string& group) {
    const std::vector<std::string> found = TRY(Groups(scope, group, "", 1));
    return !found.empty() && found[0] == group;
}

Result<std::vector<std::string>> LogSearch::Groups(const Scope& scope, const std::string& prefix,
                                                   const std::string& after, std::uint32_t limit) {
    std::vector<std::string> groups;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<std::string> rows =
            (sql.prepare << fmt::format("SELECT name FROM {} WHERE account = :account AND region = :region AND "
                                        "substr(name, 1, length(:prefix)) = :again AND name > :after ORDER BY name "
                                        "LIMIT {}",
                                        kAllGroups, limit),
             soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(prefix, "prefix"),
             soci::use(prefix, "again"), soci::use(after, "after"));
        groups.assign(rows.begin(), rows.end());
        return {};
    }));
    return groups;
}

}  // namespace espalier::meta
