#include "meta/scaling.h"

#include <fmt/format.h>
#include <soci/soci.h>

namespace espalier::meta {
namespace {

constexpr std::string_view kTargetColumns =
    "account, region, resource, minimum, maximum, document, created_at, scaled_out_at, scaled_in_at";

Scope ScopeFromRow(const soci::row& row) {
    return {.account = row.get<std::string>(0), .region = row.get<std::string>(1)};
}

ScalableTarget TargetFromRow(const soci::row& row) {
    return {.scope = ScopeFromRow(row),
            .resource = row.get<std::string>(2),
            .minimum = row.get<long long>(3),
            .maximum = row.get<long long>(4),
            .document = row.get<std::string>(5),
            .created_at = row.get<long long>(6),
            .scaled_out_at = row.get<long long>(7),
            .scaled_in_at = row.get<long long>(8)};
}

void WriteTarget(soci::session& sql, const ScalableTarget& target) {
    sql << fmt::format(
        "INSERT OR REPLACE INTO scalable_targets ({}) VALUES (:account, :region, :resource, :minimum, "
        ":maximum, :document, :created, :scaled_out, :scaled_in)",
        kTargetColumns),
        soci::use(target.scope.account, "account"), soci::use(target.scope.region, "region"),
        soci::use(target.resource, "resource"), soci::use(target.minimum, "minimum"),
        soci::use(target.maximum, "maximum"), soci::use(target.document, "document"),
        soci::use(target.created_at, "created"), soci::use(target.scaled_out_at, "scaled_out"),
        soci::use(target.scaled_in_at, "scaled_in");
}

/// Deletes the rows of one resource; gives how many there were.
long long DeleteRows(soci::session& sql, std::string_view table, const Scope& scope, const std::string& resource) {
    soci::statement statement =
        (sql.prepare << fmt::format("DELETE FROM {} WHERE account = :account AND region = :region AND resource = "
                                    ":resource",
                                    table),
         soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(resource, "resource"));
    statement.execute(true);
    return statement.get_affected_rows();
}

}  // namespace

Result<void> Scaling::PutTarget(const ScalableTarget& target) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        WriteTarget(sql, target);
        return {};
    });
}

Result<std::optional<ScalableTarget>> Scaling::FindTarget(const Scope& scope, const std::string& resource) {
    std::optional<ScalableTarget> target;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare << fmt::format("SELECT {} FROM scalable_targets WHERE account = :account AND region = :region "
                                        "AND resource = :resource",
                                        kTargetColumns),
             soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(resource, "resource"));
        for (const soci::row& row : rows) target = TargetFromRow(row);
        return {};
    }));
    return target;
}

Result<std::vector<ScalableTarget>> Scaling::Targets(const Scope& scope, const std::string& after, std::size_t limit) {
    std::vector<ScalableTarget> targets;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare << fmt::format("SELECT {} FROM scalable_targets WHERE account = :account AND region = :region "
                                        "AND resource > :after ORDER BY resource LIMIT {}",
                                        kTargetColumns, limit),
             soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(after, "after"));
        for (const soci::row& row : rows) targets.push_back(TargetFromRow(row));
        return {};
    }));
    return targets;
}

Result<std::vector<ScalableTarget>> Scaling::AllTargets() {
    std::vector<ScalableTarget> targets;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare << fmt::format("SELECT {} FROM scalable_targets", kTargetColumns));
        for (const soci::row& row : rows) targets.push_back(TargetFromRow(row));
        return {};
    }));
    return targets;
}

Result<bool> Scaling::DeleteTarget(const Scope& scope, const std::string& resource) {
    bool deleted = false;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        deleted = DeleteRows(sql, "scalable_targets", scope, resource) > 0;
        DeleteRows(sql, "scaling_policies", scope, resource);
        DeleteRows(sql, "scaling_activities", scope, resource);
        return {};
    }));
    return deleted;
}

Result<void> Scaling::PutPolicy(const ScalingPolicy& policy) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "INSERT OR REPLACE INTO scaling_policies (account, region, resource, name, id, document, created_at) "
               "VALUES (:account, :region, :resource, :name, :id, :document, :created)",
            soci::use(policy.scope.account, "account"), soci::use(policy.scope.region, "region"),
            soci::use(policy.resource, "resource"), soci::use(policy.name, "name"), soci::use(policy.id, "id"),
            soci::use(policy.document, "document"), soci::use(policy.created_at, "created");
        return {};
    });
}

Result<std::vector<ScalingPolicy>> Scaling::Policies(const Scope& scope, const std::string& resource,
                                                     const std::string& after_resource, const std::string& after_name,
                                                     std::size_t limit) {
    std::vector<ScalingPolicy> policies;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        // Of one resource, or from any resource on.
        const soci::rowset<soci::row> rows =
            (sql.prepare << fmt::format(
                 "SELECT account, region, resource, name, id, document, created_at FROM scaling_policies WHERE account "
                 "= :account AND region = :region AND resource {} :resource AND (resource, name) > "
                 "(:after_resource, :after_name) ORDER BY resource, name LIMIT {}",
                 resource.empty() ? ">=" : "=", limit),
             soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(resource, "resource"),
             soci::use(after_resource, "after_resource"), soci::use(after_name, "after_name"));
        for (const soci::row& row : rows)
            policies.push_back({.scope = ScopeFromRow(row),
                                .resource = row.get<std::string>(2),
                                .name = row.get<std::string>(3),
                                .id = row.get<std::string>(4),
                                .document = row.get<std::string>(5),
                                .created_at = row.get<long long>(6)});
        return {};
    }));
    return policies;
}

Result<bool> Scaling::DeletePolicy(const Scope& scope, const std::string& resource, const std::string& name) {
    bool deleted = false;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        soci::statement statement =
            (sql.prepare << "DELETE FROM scaling_policies WHERE account = :account AND region = :region AND resource = "
                            ":resource AND name = :name",
             soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(resource, "resource"),
             soci::use(name, "name"));
        statement.execute(true);
        deleted = statement.get_affected_rows() > 0;
        return {};
    }));
    return deleted;
}

Result<void> Scaling::AddActivity(const ScalableTarget& target, const ScalingActivity& activity) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        WriteTarget(sql, target);
        const int successful = activity.successful ? 1 : 0;
        sql << "INSERT INTO scaling_activities (id, account, region, resource, time, description, cause, successful) "
               "VALUES (:id, :account, :region, :resource, :time, :description, :cause, :successful)",
            soci::use(activity.id, "id"), soci::use(activity.scope.account, "account"),
            soci::use(activity.scope.region, "region"), soci::use(activity.resource, "resource"),
            soci::use(activity.time, "time"), soci::use(activity.description, "description"),
            soci::use(activity.cause, "cause"), soci::use(successful, "successful");
        sql << fmt::format(
            "DELETE FROM scaling_activities WHERE id NOT IN (SELECT id FROM scaling_activities ORDER BY "
            "time DESC LIMIT {})",
            kActivitiesMax);
        return {};
    });
}

Result<std::vector<ScalingActivity>> Scaling::Activities(const Scope& scope, const std::string& resource) {
    std::vector<ScalingActivity> activities;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare << "SELECT account, region, resource, id, time, description, cause, successful FROM "
                            "scaling_activities WHERE account = :account AND region = :region AND (:resource = '' OR "
                            "resource = :same) ORDER BY time DESC, id",
             soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(resource, "resource"),
             soci::use(resource, "same"));
        for (const soci::row& row : rows)
            activities.push_back({.id = row.get<std::string>(3),
                                  .scope = ScopeFromRow(row),
                                  .resource = row.get<std::string>(2),
                                  .time = row.get<long long>(4),
                                  .description = row.get<std::string>(5),
                                  .cause = row.get<std::string>(6),
                                  .successful = row.get<long long>(7) != 0});
        return {};
    }));
    return activities;
}

}  // namespace espalier::meta
