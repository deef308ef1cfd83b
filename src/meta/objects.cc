#include "meta/objects.h"

#include "meta/guard.h"

namespace espalier::meta {
namespace {

// Greater than every key: no byte of UTF-8 is 0xFF.
constexpr const char* kAfterAllKeys = "\xff";

}  // namespace

Result<void> UpsertObject(soci::session& sql, const ObjectRow& row) {
    return Guard([&]() -> Result<void> {
        const auto size_bytes = static_cast<long long>(row.size_bytes);
        const long long last_modified = row.last_modified;
        const int num_parts = static_cast<int>(row.num_parts);
        sql << "INSERT INTO objects (bucket, key, blob_id, size_bytes, etag, last_modified, headers, user_metadata, "
               "checksum_algorithm, checksum_type, checksum_value, num_parts, block_checksums) VALUES (:bucket, :key, "
               ":blob_id, :size_bytes, :etag, :last_modified, :headers, :user_metadata, :checksum_algorithm, "
               ":checksum_type, :checksum_value, :num_parts, :block_checksums) "
               "ON CONFLICT (bucket, key) DO UPDATE SET blob_id = excluded.blob_id, size_bytes = excluded.size_bytes, "
               "etag = excluded.etag, last_modified = excluded.last_modified, headers = excluded.headers, "
               "user_metadata = excluded.user_metadata, checksum_algorithm = excluded.checksum_algorithm, "
               "checksum_type = excluded.checksum_type, checksum_value = excluded.checksum_value, "
               "num_parts = excluded.num_parts, block_checksums = excluded.block_checksums",
            soci::use(row.bucket), soci::use(row.key), soci::use(row.blob_id), soci::use(size_bytes),
            soci::use(row.etag), soci::use(last_modified), soci::use(row.headers), soci::use(row.user_metadata),
            soci::use(row.checksum_algorithm), soci::use(row.checksum_type), soci::use(row.checksum_value),
            soci::use(num_parts), soci::use(row.block_checksums);
        return {};
    });
}

Result<std::optional<ObjectRow>> FindObject(soci::session& sql, const std::string& bucket, const std::string& key) {
    return Guard([&]() -> Result<std::optional<ObjectRow>> {
        ObjectRow row;
        long long size_bytes = 0;
        long long last_modified = 0;
        int num_parts = 0;
        sql << "SELECT blob_id, size_bytes, etag, last_modified, headers, user_metadata, checksum_algorithm, "
               "checksum_type, checksum_value, num_parts, block_checksums FROM objects "
               "WHERE bucket = :bucket AND key = :key",
            soci::into(row.blob_id), soci::into(size_bytes), soci::into(row.etag), soci::into(last_modified),
            soci::into(row.headers), soci::into(row.user_metadata), soci::into(row.checksum_algorithm),
            soci::into(row.checksum_type), soci::into(row.checksum_value), soci::into(num_parts),
            soci::into(row.block_checksums), soci::use(bucket), soci::use(key);
        if (!sql.got_data()) return std::optional<ObjectRow>();
        row.bucket = bucket;
        row.key = key;
        row.size_bytes = static_cast<std::uint64_t>(size_bytes);
        row.last_modified = last_modified;
        row.num_parts = static_cast<std::uint32_t>(num_parts);
        return std::optional<ObjectRow>(std::move(row));
    });
}

Result<std::optional<ObjectIdentity>> FindObjectIdentity(soci::session& sql, const std::string& bucket,
                                                         const std::string& key) {
    return Guard([&]() -> Result<std::optional<ObjectIdentity>> {
        ObjectIdentity identity;
        sql << "SELECT blob_id, etag FROM objects WHERE bucket = :bucket AND key = :key", soci::into(identity.blob_id),
            soci::into(identity.etag), soci::use(bucket), soci::use(key);
        if (!sql.got_data()) return std::optional<ObjectIdentity>();
        return std::optional<ObjectIdentity>(std::move(identity));
    });
}

Result<void> DeleteObject(soci::session& sql, const std::string& bucket, const std::string& key) {
    return Guard([&]() -> Result<void> {
        sql << "DELETE FROM objects WHERE bucket = :bucket AND key = :key", soci::use(bucket), soci::use(key);
        return {};
    });
}

Result<bool> BucketHasObjects(soci::session& sql, const std::string& bucket) {
    return Guard([&]() -> Result<bool> {
        int one = 0;
        sql << "SELECT 1 FROM objects WHERE bucket = :bucket LIMIT 1", soci::into(one), soci::use(bucket);
        return sql.got_data();
    });
}

Result<std::vector<ObjectRow>> ListObjects(soci::session& sql, const std::string& bucket, const KeyRange& range,
                                           std::uint32_t max_rows) {
    return Guard([&]() -> Result<std::vector<ObjectRow>> {
        ObjectRow row;
        row.bucket = bucket;
        long long size_bytes = 0;
        long long last_modified = 0;
        int num_parts = 0;
        const int limit = static_cast<int>(max_rows);
        const std::string end = range.end.empty() ? kAfterAllKeys : range.end;
        const std::string text = std::string(
                                     "SELECT key, blob_id, size_bytes, etag, last_modified, checksum_algorithm, "
                                     "checksum_type, checksum_value, num_parts FROM objects "
                                     "WHERE bucket = :bucket AND key ") +
                                 (range.from_is_excluded ? ">" : ">=") +
                                 " :start AND key < :stop ORDER BY key LIMIT :limit";
        soci::statement statement =
            (sql.prepare << text, soci::into(row.key), soci::into(row.blob_id), soci::into(size_bytes),
             soci::into(row.etag), soci::into(last_modified), soci::into(row.checksum_algorithm),
             soci::into(row.checksum_type), soci::into(row.checksum_value), soci::into(num_parts), soci::use(bucket),
             soci::use(range.from), soci::use(end), soci::use(limit));
        std::vector<ObjectRow> rows;
        statement.execute();
        while (statement.fetch()) {
            row.size_bytes = static_cast<std::uint64_t>(size_bytes);
            row.last_modified = last_modified;
            row.num_parts = static_cast<std::uint32_t>(num_parts);
            rows.push_back(row);
        }
        return rows;
    });
}

Result<std::vector<std::string>> ListBlobIds(soci::session& sql, const std::string& from, const std::string& end) {
    return Guard([&]() -> Result<std::vector<std::string>> {
        std::string id;
        std::vector<std::string> ids;
        for (const char* table : {"objects", "upload_parts"}) {
            soci::statement statement = (sql.prepare << std::string("SELECT blob_id FROM ") + table +
                                                            " WHERE blob_id >= :start AND blob_id < :stop",
                                         soci::into(id), soci::use(from), soci::use(end));
            statement.execute();
            while (statement.fetch()) ids.push_back(id);
        }
        return ids;
    });
}

}  // namespace espalier::meta
