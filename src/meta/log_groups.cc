#include "meta/log_groups.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "meta/key_prefix.h"
#include "meta/read_rows.h"

namespace espalier::meta {
namespace {

constexpr UnixMillis kDayMillis = 86'400'000;

std::vector<LogGroup> ReadGroups(soci::session& sql, Conditions values, std::uint32_t limit) {
    std::vector<LogGroup> groups;
    FetchRows(sql,
              fmt::format("SELECT id, name, created_at, retention_days FROM log_groups WHERE {} ORDER BY name LIMIT {}",
                          values.text, limit),
              values, [&](const soci::row& row) {
                  groups.push_back({.id = row.get<int>(0),  // as the column is declared
                                    .name = row.get<std::string>(1),
                                    .created_at = row.get<long long>(2),
                                    .retention_days = row.get<long long>(3)});
              });
    return groups;
}

std::optional<LogGroup> ReadGroup(soci::session& sql, const Scope& scope, const std::string& name) {
    std::vector<LogGroup> found =
        ReadGroups(sql,
                   {.text = "account = :account AND region = :region AND name = :name",
                    .texts = {{"account", scope.account}, {"region", scope.region}, {"name", name}}},
                   1);
    return found.empty() ? std::nullopt : std::optional(std::move(found[0]));
}

void MakeGroup(soci::session& sql, const Scope& scope, const LogGroup& group) {
    sql << "INSERT INTO log_groups (id, account, region, name, created_at) VALUES (:id, :account, :region, :name, "
           ":now)",
        soci::use(group.id, "id"), soci::use(scope.account, "account"), soci::use(scope.region, "region"),
        soci::use(group.name, "name"), soci::use(group.created_at, "now");
}

/// Hides the streams that `values` tell of: they become nobody's, and the sweep's. Gives their number.
long long HideStreams(soci::session& sql, Conditions values) {
    return ChangeRows(sql,
                      fmt::format("UPDATE log_streams SET account = '', region = '', log_group = '', name = CAST(id AS "
                                  "TEXT), group_id = 0 WHERE {}",
                                  values.text),
                      values);
}

Error NoSuchGroup(const std::string& name) {
    return {ErrorCode::kNotFound, fmt::format("there is no log group {}", name)};
}

}  // namespace

std::optional<UnixMillis> LogGroup::OldestKept(UnixMillis now) const {
    if (retention_days == 0) return std::nullopt;
    return now - retention_days * kDayMillis;
}

std::int64_t NextLogId(soci::session& sql) {
    long long id = 0;
    sql << "UPDATE log_ids SET last_id = last_id + 1";
    sql << "SELECT last_id FROM log_ids", soci::into(id);
    return id;
}

std::int64_t FindOrMakeLogGroup(soci::session& sql, const Scope& scope, const std::string& name, UnixMillis now) {
    if (const std::optional<LogGroup> known = ReadGroup(sql, scope, name)) return known->id;
    const LogGroup made = {.id = NextLogId(sql), .name = name, .created_at = now};
    MakeGroup(sql, scope, made);
    return made.id;
}

Result<void> LogGroups::Create(const Scope& scope, const std::string& name, UnixMillis now) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        if (ReadGroup(sql, scope, name))
            return Error(ErrorCode::kAlreadyExists, "The specified log group already exists");
        MakeGroup(sql, scope, {.id = NextLogId(sql), .name = name, .created_at = now});
        return {};
    });
}

Result<std::optional<LogGroup>> LogGroups::Find(const Scope& scope, const std::string& name) {
    std::optional<LogGroup> found;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        found = ReadGroup(sql, scope, name);
        return {};
    }));
    return found;
}

Result<std::vector<LogGroup>> LogGroups::List(const Scope& scope, const std::string& prefix, const std::string& after,
                                              std::uint32_t limit) {
    Conditions values = {
        .text = "account = :account AND region = :region AND name >= :prefix AND name > :after",
        .texts = {{"account", scope.account}, {"region", scope.region}, {"prefix", prefix}, {"after", after}}};
    if (const std::string end = EndOfPrefix(prefix); !end.empty()) {
        values.text += " AND name < :prefix_end";
        values.texts.emplace_back("prefix_end", end);
    }
    std::vector<LogGroup> groups;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        groups = ReadGroups(sql, std::move(values), limit);
        return {};
    }));
    return groups;
}

Result<void> LogGroups::SetRetention(const Scope& scope, const std::string& name, std::int64_t days) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        const std::optional<LogGroup> group = ReadGroup(sql, scope, name);
        if (!group) return NoSuchGroup(name);
        sql << "UPDATE log_groups SET retention_days = :days WHERE id = :id", soci::use(days, "days"),
            soci::use(group->id, "id");
        return {};
    });
}

Result<void> LogGroups::Delete(const Scope& scope, const std::string& name) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        const std::optional<LogGroup> group = ReadGroup(sql, scope, name);
        if (!group) return NoSuchGroup(name);
        HideStreams(sql, {.text = "account = :account AND region = :region AND log_group = :log_group",
                          .texts = {{"account", scope.account}, {"region", scope.region}, {"log_group", name}}});
        sql << "DELETE FROM log_groups WHERE id = :id", soci::use(group->id, "id");
        return {};
    });
}

Result<void> LogGroups::DeleteStream(const Scope& scope, const std::string& group, const std::string& name) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        const long long num_hidden = HideStreams(
            sql,
            {.text = "account = :account AND region = :region AND log_group = :log_group AND name = :name",
             .texts = {{"account", scope.account}, {"region", scope.region}, {"log_group", group}, {"name", name}}});
        if (num_hidden == 0)
            return Error(ErrorCode::kNotFound, fmt::format("there is no log stream {} in {}", name, group));
        return {};
    });
}

}  // namespace espalier::meta
