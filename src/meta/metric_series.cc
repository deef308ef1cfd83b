#include "meta/metric_series.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "meta/read_rows.h"

namespace espalier::meta {
namespace {

constexpr std::string_view kValueColumns = "time, unit, sample_count, sum, minimum, maximum, sample_values";

Result<MetricSlot> SlotFromRow(const soci::row& row) {
    const Distribution::Summary summary{.count = row.get<double>(2),
                                        .sum = row.get<double>(3),
                                        .minimum = row.get<double>(4),
                                        .maximum = row.get<double>(5)};
    Distribution values = TRY(Distribution::FromText(summary, row.get<std::string>(6)));
    return MetricSlot{.time = row.get<long long>(0), .unit = row.get<std::string>(1), .values = std::move(values)};
}

/// The id of the series; 0 when there is none.
long long FindSeries(soci::session& sql, const MetricId& id) {
    long long series = 0;
    sql << "SELECT coalesce(max(id), 0) FROM metric_series WHERE account = :account AND region = :region AND "
           "name_space = :name_space AND name = :name AND dimensions = :dimensions",
        soci::into(series), soci::use(id.scope.account, "account"), soci::use(id.scope.region, "region"),
        soci::use(id.name_space, "name_space"), soci::use(id.name, "name"), soci::use(id.dimensions, "dimensions");
    return series;
}

long long FindOrMakeSeries(soci::session& sql, const MetricId& id, UnixMillis time) {
    long long series = FindSeries(sql, id);
    if (series != 0) {
        sql << "UPDATE metric_series SET last_at = :time WHERE id = :id AND last_at < :again", soci::use(time, "time"),
            soci::use(series, "id"), soci::use(time, "again");
        return series;
    }
    sql << "SELECT coalesce(max(id), 0) + 1 FROM metric_series", soci::into(series);
    sql << "INSERT INTO metric_series (id, account, region, name_space, name, dimensions, last_at) VALUES (:id, "
           ":account, :region, :name_space, :name, :dimensions, :time)",
        soci::use(series, "id"), soci::use(id.scope.account, "account"), soci::use(id.scope.region, "region"),
        soci::use(id.name_space, "name_space"), soci::use(id.name, "name"), soci::use(id.dimensions, "dimensions"),
        soci::use(time, "time");
    return series;
}

Result<void> MergeSlot(soci::session& sql, long long series, const MetricSlot& slot) {
    Distribution merged = slot.values;
    const soci::rowset<soci::row> rows =
        (sql.prepare << fmt::format("SELECT {} FROM metric_values WHERE series_id = :id AND time = :time AND "
                                    "unit = :unit",
                                    kValueColumns),
         soci::use(series, "id"), soci::use(slot.time, "time"), soci::use(slot.unit, "unit"));
    for (const soci::row& row : rows) {
        MetricSlot known = TRY(SlotFromRow(row));
        known.values.Merge(merged);
        merged = std::move(known.values);
    }
    const Distribution::Summary& summary = merged.summary();
    const std::string values = merged.ValuesText();
    sql << "INSERT OR REPLACE INTO metric_values (series_id, time, unit, sample_count, sum, minimum, maximum, "
           "sample_values) VALUES (:id, :time, :unit, :count, :sum, :minimum, :maximum, :values)",
        soci::use(series, "id"), soci::use(slot.time, "time"), soci::use(slot.unit, "unit"),
        soci::use(summary.count, "count"), soci::use(summary.sum, "sum"), soci::use(summary.minimum, "minimum"),
        soci::use(summary.maximum, "maximum"), soci::use(values, "values");
    return {};
}

}  // namespace

Result<void> MetricSeries::Add(std::span<const MetricSample> samples) {
    if (samples.empty()) return {};
    return database_.Write([&](soci::session& sql) -> Result<void> {
        for (const MetricSample& sample : samples) {
            if (sample.slot.values.empty()) continue;
            const long long series = FindOrMakeSeries(sql, sample.id, sample.slot.time);
            TRY(MergeSlot(sql, series, sample.slot));
        }
        return {};
    });
}

Result<std::vector<MetricSlot>> MetricSeries::Read(const MetricId& id, const std::string& unit, UnixMillis from,
                                                   UnixMillis to) {
    std::vector<MetricSlot> slots;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const long long series = FindSeries(sql, id);
        if (series == 0) return {};
        const soci::rowset<soci::row> rows =
            (sql.prepare << fmt::format("SELECT {} FROM metric_values WHERE series_id = :id AND time >= :from AND "
                                        "time < :to ORDER BY time, unit",
                                        kValueColumns),
             soci::use(series, "id"), soci::use(from, "from"), soci::use(to, "to"));
        for (const soci::row& row : rows) {
            MetricSlot slot = TRY(SlotFromRow(row));
            if (unit.empty() || slot.unit == unit) slots.push_back(std::move(slot));
        }
        return {};
    }));
    return slots;
}

Result<std::vector<MetricSeries::Listed>> MetricSeries::List(const MetricListQuery& query) {
    std::string conditions = "account = :account AND region = :region";
    std::vector<std::pair<std::string, std::string>> texts = {{"account", query.scope.account},
                                                              {"region", query.scope.region}};
    const auto add = [&](std::string_view condition, std::string name, const std::string& value) {
        conditions += fmt::format(" AND {}", condition);
        texts.emplace_back(std::move(name), value);
    };
    if (!query.name_space.empty()) add("name_space = :name_space", "name_space", query.name_space);
    if (!query.name.empty()) add("name = :name", "name", query.name);
    if (query.after) {
        add("(name_space, name, dimensions) > (:after_space, :after_name, :after_dimensions)", "after_space",
            query.after->name_space);
        texts.emplace_back("after_name", query.after->name);
        texts.emplace_back("after_dimensions", query.after->dimensions);
    }
    const std::string text = fmt::format(
        "SELECT name_space, name, dimensions, last_at FROM metric_series WHERE {} ORDER BY name_space, name, "
        "dimensions LIMIT "
        "{}",
        conditions, query.limit);
    std::vector<Listed> found;
    Conditions values = {.text = "", .texts = std::move(texts)};
    TRY(ReadRows(database_, text, values, [&](const soci::row& row) {
        found.push_back({.id = {.scope = query.scope,
                                .name_space = row.get<std::string>(0),
                                .name = row.get<std::string>(1),
                                .dimensions = row.get<std::string>(2)},
                         .last_at = row.get<long long>(3)});
    }));
    return found;
}

Result<void> MetricSeries::DropBefore(UnixMillis time) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "DELETE FROM metric_values WHERE time < :time", soci::use(time, "time");
        sql << "DELETE FROM metric_series WHERE last_at < :time", soci::use(time, "time");
        return {};
    });
}

}  // namespace espalier::meta
