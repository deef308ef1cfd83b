#include "meta/metrics.h"

#include <fmt/format.h>
#include <soci/soci.h>

namespace espalier::meta {

Result<void> TrainingMetrics::Append(std::int64_t job_id, std::span<const MetricPoint> points) {
    if (points.empty()) return {};
    return database_.Write([&](soci::session& sql) -> Result<void> {
        long long position = 0;
        sql << "SELECT coalesce(max(position), 0) FROM training_job_metrics WHERE job_id = :id", soci::into(position),
            soci::use(job_id, "id");
        MetricPoint point;
        soci::statement insert =
            (sql.prepare << "INSERT OR IGNORE INTO training_job_metrics (job_id, position, name, value, time, step) "
                            "VALUES (:id, :position, :name, :value, :time, :step)",
             soci::use(job_id, "id"), soci::use(position, "position"), soci::use(point.name, "name"),
             soci::use(point.value, "value"), soci::use(point.time, "time"), soci::use(point.step, "step"));
        soci::statement note =
            (sql.prepare << "INSERT INTO training_metric_names (job_id, name, last_at) VALUES (:id, :name, :time) ON "
                            "CONFLICT (job_id, name) DO UPDATE SET last_at = max(last_at, excluded.last_at)",
             soci::use(job_id, "id"), soci::use(point.name, "name"), soci::use(point.time, "time"));
        for (const MetricPoint& next : points) {
            point = next;
            ++position;
            insert.execute(true);
            note.execute(true);
        }
        return {};
    });
}

Result<void> TrainingMetrics::Clear(std::int64_t job_id) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "DELETE FROM training_job_metrics WHERE job_id = :id", soci::use(job_id, "id");
        sql << "DELETE FROM training_metric_names WHERE job_id = :id", soci::use(job_id, "id");
        return {};
    });
}

namespace {

MetricPoint FromRow(const soci::row& row) {
    return {.name = row.get<std::string>(0), .value = row.get<double>(1), .time = row.get<long long>(2)};
}

}  // namespace

Result<std::vector<MetricPoint>> TrainingMetrics::Final(std::int64_t job_id) {
    std::vector<MetricPoint> points;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare << "SELECT name, value, time FROM training_job_metrics WHERE job_id = :id AND position IN "
                            "(SELECT max(position) FROM training_job_metrics WHERE job_id = :same GROUP BY name) "
                            "ORDER BY name",
             soci::use(job_id, "id"), soci::use(job_id, "same"));
        for (const soci::row& row : rows) points.push_back(FromRow(row));
        return {};
    }));
    return points;
}

Result<std::vector<MetricPoint>> TrainingMetrics::Points(const Scope& scope, const std::string& job_name,
                                                         const std::string& metric_name, UnixMillis from,
                                                         UnixMillis to) {
    std::vector<MetricPoint> points;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare << "SELECT m.name, m.value, m.time FROM training_jobs j "
                            "JOIN training_job_metrics m ON m.job_id = j.id "
                            "WHERE j.account = :account AND j.region = :region AND j.name = :job AND m.name = :metric "
                            "AND m.time >= :from AND m.time < :to ORDER BY m.position",
             soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(job_name, "job"),
             soci::use(metric_name, "metric"), soci::use(from, "from"), soci::use(to, "to"));
        for (const soci::row& row : rows) points.push_back(FromRow(row));
        return {};
    }));
    return points;
}

Result<std::vector<TrainingMetrics::Name>> TrainingMetrics::Names(const NameQuery& query) {
    std::vector<Name> names;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare << fmt::format(
                 "SELECT j.name, m.name, m.last_at FROM training_jobs j CROSS JOIN training_metric_names m ON m.job_id "
                 "= j.id WHERE j.account = :account AND j.region = :region AND j.name >= :job "
                 "AND (j.name, m.name) > (:job_again, :after) ORDER BY j.name, m.name LIMIT {}",
                 query.limit),
             soci::use(query.scope.account, "account"), soci::use(query.scope.region, "region"),
             soci::use(query.after.job, "job"), soci::use(query.after.job, "job_again"),
             soci::use(query.after.metric, "after"));
        for (const soci::row& row : rows)
            names.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<long long>(2)});
        return {};
    }));
    return names;
}

}  // namespace espalier::meta
