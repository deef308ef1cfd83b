#include "meta/buckets.h"

#include "meta/guard.h"

namespace espalier::meta {

Result<void> InsertBucket(soci::session& sql, const BucketRow& row) {
    return Guard([&]() -> Result<void> {
        long long created_at = row.created_at;
        sql << "INSERT INTO buckets (name, region, created_at) VALUES (:name, :region, :created_at)",
            soci::use(row.name), soci::use(row.region), soci::use(created_at);
        return {};
    });
}

Result<std::optional<BucketRow>> FindBucket(soci::session& sql, const std::string& name) {
    return Guard([&]() -> Result<std::optional<BucketRow>> {
        BucketRow row{name, "", 0};
        long long created_at = 0;
        sql << "SELECT region, created_at FROM buckets WHERE name = :name", soci::into(row.region),
            soci::into(created_at), soci::use(name);
        if (!sql.got_data()) return std::optional<BucketRow>();
        row.created_at = created_at;
        return std::optional<BucketRow>(std::move(row));
    });
}

Result<std::vector<BucketRow>> ListBuckets(soci::session& sql, const std::string& prefix,
                                           const std::string& start_after, std::uint32_t max_rows) {
    return Guard([&]() -> Result<std::vector<BucketRow>> {
        BucketRow row;
        long long created_at = 0;
        const int limit = static_cast<int>(max_rows);
        // Bucket names hold no character above 'z', so "prefix{" is the end of the prefix's range.
        const std::string end = prefix + "{";
        soci::statement statement =
            (sql.prepare << "SELECT name, region, created_at FROM buckets "
                            "WHERE name > :after AND name >= :prefix AND name < :end ORDER BY name LIMIT :limit",
             soci::into(row.name), soci::into(row.region), soci::into(created_at), soci::use(start_after),
             soci::use(prefix), soci::use(end), soci::use(limit));
        std::vector<BucketRow> rows;
        statement.execute();
        while (statement.fetch()) {
            row.created_at = created_at;
            rows.push_back(row);
        }
        return rows;
    });
}

Result<void> DeleteBucket(soci::session& sql, const std::string& name) {
    return Guard([&]() -> Result<void> {
        sql << "DELETE FROM buckets WHERE name = :name", soci::use(name);
        return {};
    });
}

}  // namespace espalier::meta
