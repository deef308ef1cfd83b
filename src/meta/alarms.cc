#include "meta/alarms.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "meta/key_prefix.h"
#include "meta/read_rows.h"

namespace espalier::meta {
namespace {

constexpr std::string_view kAlarmColumns =
    "account, region, name, document, state, state_reason, state_data, configured_at, updated_at, transitioned_at";
constexpr std::string_view kHistoryColumns = "id, account, region, name, time, kind, summary, data";

AlarmRecord AlarmFromRow(const soci::row& row) {
    return {.scope = {.account = row.get<std::string>(0), .region = row.get<std::string>(1)},
            .name = row.get<std::string>(2),
            .document = row.get<std::string>(3),
            .state = row.get<std::string>(4),
            .state_reason = row.get<std::string>(5),
            .state_data = row.get<std::string>(6),
            .configured_at = row.get<long long>(7),
            .updated_at = row.get<long long>(8),
            .transitioned_at = row.get<long long>(9)};
}

AlarmHistoryItem ItemFromRow(const soci::row& row) {
    return {.id = row.get<long long>(0),
            .scope = {.account = row.get<std::string>(1), .region = row.get<std::string>(2)},
            .name = row.get<std::string>(3),
            .time = row.get<long long>(4),
            .kind = row.get<std::string>(5),
            .summary = row.get<std::string>(6),
            .data = row.get<std::string>(7)};
}

using Texts = std::vector<std::pair<std::string, std::string>>;

/// Every row of `text`, whose named parameters are `texts`.
template <typename Row>
Result<std::vector<Row>> ReadAll(Database& database, const std::string& text, Texts texts,
                                 Row (*from_row)(const soci::row&)) {
    Conditions values = {.text = "", .texts = std::move(texts)};
    std::vector<Row> rows;
    TRY(ReadRows(database, text, values, [&](const soci::row& row) { rows.push_back(from_row(row)); }));
    return rows;
}

void AddItem(soci::session& sql, const AlarmHistoryItem& item) {
    sql << "INSERT INTO alarm_history (id, account, region, name, time, kind, summary, data) VALUES ((SELECT "
           "coalesce(max(id), 0) + 1 FROM alarm_history), :account, :region, :name, :time, :kind, :summary, :data)",
        soci::use(item.scope.account, "account"), soci::use(item.scope.region, "region"), soci::use(item.name, "name"),
        soci::use(item.time, "time"), soci::use(item.kind, "kind"), soci::use(item.summary, "summary"),
        soci::use(item.data, "data");
    sql << fmt::format("DELETE FROM alarm_history WHERE id <= (SELECT max(id) - {} FROM alarm_history)",
                       Alarms::kHistoryItemsMax);
}

}  // namespace

Result<void> Alarms::Put(const AlarmRecord& alarm, const AlarmHistoryItem& item) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "INSERT OR REPLACE INTO alarms (account, region, name, document, state, state_reason, state_data, "
               "configured_at, updated_at, transitioned_at) VALUES (:account, :region, :name, :document, :state, "
               ":reason, :data, :configured, :updated, :transitioned)",
            soci::use(alarm.scope.account, "account"), soci::use(alarm.scope.region, "region"),
            soci::use(alarm.name, "name"), soci::use(alarm.document, "document"), soci::use(alarm.state, "state"),
            soci::use(alarm.state_reason, "reason"), soci::use(alarm.state_data, "data"),
            soci::use(alarm.configured_at, "configured"), soci::use(alarm.updated_at, "updated"),
            soci::use(alarm.transitioned_at, "transitioned");
        AddItem(sql, item);
        return {};
    });
}

Result<bool> Alarms::SetState(const AlarmRecord& alarm_before, const AlarmRecord& alarm,
                              const std::optional<AlarmHistoryItem>& item) {
    bool changed = false;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        soci::statement update =
            (sql.prepare
                 << "UPDATE alarms SET state = :state, state_reason = :reason, state_data = :data, updated_at = "
                    ":updated, transitioned_at = :transitioned WHERE account = :account AND region = :region "
                    "AND name = :name AND configured_at = :configured AND updated_at = :before",
             soci::use(alarm.state, "state"), soci::use(alarm.state_reason, "reason"),
             soci::use(alarm.state_data, "data"), soci::use(alarm.updated_at, "updated"),
             soci::use(alarm.transitioned_at, "transitioned"), soci::use(alarm.scope.account, "account"),
             soci::use(alarm.scope.region, "region"), soci::use(alarm.name, "name"),
             soci::use(alarm_before.configured_at, "configured"), soci::use(alarm_before.updated_at, "before"));
        update.execute(true);
        changed = update.get_affected_rows() > 0;
        if (changed && item) AddItem(sql, *item);
        return {};
    }));
    return changed;
}

Result<bool> Alarms::Delete(const Scope& scope, const std::string& name, const AlarmHistoryItem& item) {
    bool deleted = false;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        soci::statement remove =
            (sql.prepare << "DELETE FROM alarms WHERE account = :account AND region = :region AND "
                            "name = :name",
             soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(name, "name"));
        remove.execute(true);
        deleted = remove.get_affected_rows() > 0;
        if (deleted) AddItem(sql, item);
        return {};
    }));
    return deleted;
}

Result<std::optional<AlarmRecord>> Alarms::Find(const Scope& scope, const std::string& name) {
    const std::string text = fmt::format(
        "SELECT {} FROM alarms WHERE account = :account AND region = :region AND name = :name", kAlarmColumns);
    std::vector<AlarmRecord> found = TRY(
        ReadAll(database_, text, {{"account", scope.account}, {"region", scope.region}, {"name", name}}, AlarmFromRow));
    if (found.empty()) return std::optional<AlarmRecord>();
    return std::optional(std::move(found[0]));
}

Result<std::vector<AlarmRecord>> Alarms::List(const AlarmListQuery& query) {
    std::string conditions = "account = :account AND region = :region AND name > :after AND name >= :prefix";
    Texts texts = {{"account", query.scope.account},
                   {"region", query.scope.region},
                   {"after", query.after},
                   {"prefix", query.name_prefix}};
    if (std::string end = EndOfPrefix(query.name_prefix); !end.empty()) {
        conditions += " AND name < :prefix_end";
        texts.emplace_back("prefix_end", std::move(end));
    }
    if (!query.state.empty()) {
        conditions += " AND state = :state";
        texts.emplace_back("state", query.state);
    }
    const std::string text =
        fmt::format("SELECT {} FROM alarms WHERE {} ORDER BY name LIMIT {}", kAlarmColumns, conditions, query.limit);
    return ReadAll(database_, text, std::move(texts), AlarmFromRow);
}

Result<std::vector<AlarmRecord>> Alarms::All() {
    return ReadAll(database_, fmt::format("SELECT {} FROM alarms ORDER BY account, region, name", kAlarmColumns), {},
                   AlarmFromRow);
}

Result<std::vector<AlarmHistoryItem>> Alarms::History(const AlarmHistoryQuery& query) {
    std::string conditions = "account = :account AND region = :region";
    Texts texts = {{"account", query.scope.account}, {"region", query.scope.region}};
    if (!query.name.empty()) {
        conditions += " AND name = :name";
        texts.emplace_back("name", query.name);
    }
    if (!query.kind.empty()) {
        conditions += " AND kind = :kind";
        texts.emplace_back("kind", query.kind);
    }
    if (query.from) conditions += fmt::format(" AND time >= {}", *query.from);
    if (query.to) conditions += fmt::format(" AND time < {}", *query.to);
    if (query.after_id) conditions += fmt::format(" AND id {} {}", query.newest_first ? '<' : '>', *query.after_id);
    const std::string text = fmt::format("SELECT {} FROM alarm_history WHERE {} ORDER BY id {} LIMIT {}",
                                         kHistoryColumns, conditions, query.newest_first ? "DESC" : "ASC", query.limit);
    return ReadAll(database_, text, std::move(texts), ItemFromRow);
}

}  // namespace espalier::meta
