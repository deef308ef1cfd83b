#include "meta/uploads.h"

#include "meta/guard.h"

namespace espalier::meta {

Result<void> InsertUpload(soci::session& sql, const UploadRow& row) {
    return Guard([&]() -> Result<void> {
        const long long created_at = row.created_at;
        const long long completed_at = row.completed_at;
        sql << "INSERT INTO uploads (id, bucket, key, created_at, headers, user_metadata, checksum_algorithm, "
               "checksum_type, completed_at, completed_etag, completed_checksum) VALUES (:id, :bucket, :key, "
               ":created_at, :headers, :user_metadata, :checksum_algorithm, :checksum_type, :completed_at, "
               ":completed_etag, :completed_checksum)",
            soci::use(row.id), soci::use(row.bucket), soci::use(row.key), soci::use(created_at), soci::use(row.headers),
            soci::use(row.user_metadata), soci::use(row.checksum_algorithm), soci::use(row.checksum_type),
            soci::use(completed_at), soci::use(row.completed_etag), soci::use(row.completed_checksum);
        return {};
    });
}

Result<std::optional<UploadRow>> FindUpload(soci::session& sql, const std::string& id) {
    return Guard([&]() -> Result<std::optional<UploadRow>> {
        UploadRow row;
        long long created_at = 0;
        long long completed_at = 0;
        sql << "SELECT bucket, key, created_at, headers, user_metadata, checksum_algorithm, checksum_type, "
               "completed_at, completed_etag, completed_checksum FROM uploads WHERE id = :id",
            soci::into(row.bucket), soci::into(row.key), soci::into(created_at), soci::into(row.headers),
            soci::into(row.user_metadata), soci::into(row.checksum_algorithm), soci::into(row.checksum_type),
            soci::into(completed_at), soci::into(row.completed_etag), soci::into(row.completed_checksum), soci::use(id);
        if (!sql.got_data()) return std::optional<UploadRow>();
        row.id = id;
        row.created_at = created_at;
        row.completed_at = completed_at;
        return std::optional<UploadRow>(std::move(row));
    });
}

Result<void> MarkUploadCompleted(soci::session& sql, const std::string& id, UnixMillis completed_at,
                                 const std::string& etag, const std::string& checksum) {
    return Guard([&]() -> Result<void> {
        const long long time = completed_at;
        sql << "UPDATE uploads SET completed_at = :time, completed_etag = :etag, completed_checksum = :checksum "
               "WHERE id = :id",
            soci::use(time), soci::use(etag), soci::use(checksum), soci::use(id);
        return {};
    });
}

Result<void> DeleteUpload(soci::session& sql, const std::string& id) {
    return Guard([&]() -> Result<void> {
        sql << "DELETE FROM uploads WHERE id = :id", soci::use(id);
        return {};
    });
}

Result<void> DeleteUploadsCompletedBefore(soci::session& sql, UnixMillis time) {
    return Guard([&]() -> Result<void> {
        const long long before = time;
        sql << "DELETE FROM uploads WHERE completed_at > 0 AND completed_at < :before", soci::use(before);
        return {};
    });
}

Result<std::vector<UploadRow>> ListOpenUploads(soci::session& sql, const std::string& bucket,
                                               const std::string& from_key, const std::string& after_key,
                                               const std::string& after_id, std::uint32_t max_rows) {
    return Guard([&]() -> Result<std::vector<UploadRow>> {
        UploadRow row;
        row.bucket = bucket;
        long long created_at = 0;
        const int limit = static_cast<int>(max_rows);
        soci::statement statement =
            (sql.prepare << "SELECT id, key, created_at, checksum_algorithm, checksum_type FROM uploads "
                            "WHERE bucket = :bucket AND key >= :from_key AND (key, id) > (:after_key, :after_id) "
                            "AND completed_at = 0 ORDER BY key, id LIMIT :limit",
             soci::into(row.id), soci::into(row.key), soci::into(created_at), soci::into(row.checksum_algorithm),
             soci::into(row.checksum_type), soci::use(bucket), soci::use(from_key), soci::use(after_key),
             soci::use(after_id), soci::use(limit));
        std::vector<UploadRow> rows;
        statement.execute();
        while (statement.fetch()) {
            row.created_at = created_at;
            rows.push_back(row);
        }
        return rows;
    });
}

Result<std::vector<std::string>> ListUploadIdsOfBucket(soci::session& sql, const std::string& bucket) {
    return Guard([&]() -> Result<std::vector<std::string>> {
        std::string id;
        soci::statement statement =
            (sql.prepare << "SELECT id FROM uploads WHERE bucket = :bucket", soci::into(id), soci::use(bucket));
        std::vector<std::string> ids;
        statement.execute();
        while (statement.fetch()) ids.push_back(id);
        return ids;
    });
}

Result<void> UpsertPart(soci::session& sql, const PartRow& row) {
    return Guard([&]() -> Result<void> {
        const int part_number = static_cast<int>(row.part_number);
        const auto size_bytes = static_cast<long long>(row.size_bytes);
        const long long last_modified = row.last_modified;
        sql << "INSERT INTO upload_parts (upload_id, part_number, blob_id, size_bytes, md5, last_modified, "
               "checksum_value, block_checksums) VALUES (:upload_id, :part_number, :blob_id, :size_bytes, :md5, "
               ":last_modified, :checksum_value, :block_checksums) "
               "ON CONFLICT (upload_id, part_number) DO UPDATE SET blob_id = excluded.blob_id, "
               "size_bytes = excluded.size_bytes, md5 = excluded.md5, last_modified = excluded.last_modified, "
               "checksum_value = excluded.checksum_value, block_checksums = excluded.block_checksums",
            soci::use(row.upload_id), soci::use(part_number), soci::use(row.blob_id), soci::use(size_bytes),
            soci::use(row.md5), soci::use(last_modified), soci::use(row.checksum_value), soci::use(row.block_checksums);
        return {};
    });
}

Result<std::optional<std::string>> FindPartBlob(soci::session& sql, const std::string& upload_id,
                                                std::uint32_t part_number) {
    return Guard([&]() -> Result<std::optional<std::string>> {
        std::string blob_id;
        const int number = static_cast<int>(part_number);
        sql << "SELECT blob_id FROM upload_parts WHERE upload_id = :id AND part_number = :number", soci::into(blob_id),
            soci::use(upload_id), soci::use(number);
        if (!sql.got_data()) return std::optional<std::string>();
        return std::optional<std::string>(std::move(blob_id));
    });
}

Result<std::vector<PartRow>> ListParts(soci::session& sql, const std::string& upload_id, std::uint32_t after,
                                       std::uint32_t max_rows) {
    return Guard([&]() -> Result<std::vector<PartRow>> {
        PartRow row;
        row.upload_id = upload_id;
        int part_number = 0;
        long long size_bytes = 0;
        long long last_modified = 0;
        const int after_number = static_cast<int>(after);
        const int limit = static_cast<int>(max_rows);
        soci::statement statement =
            (sql.prepare << "SELECT part_number, blob_id, size_bytes, md5, last_modified, checksum_value, "
                            "block_checksums FROM upload_parts WHERE upload_id = :id AND part_number > :after "
                            "ORDER BY part_number LIMIT :limit",
             soci::into(part_number), soci::into(row.blob_id), soci::into(size_bytes), soci::into(row.md5),
             soci::into(last_modified), soci::into(row.checksum_value), soci::into(row.block_checksums),
             soci::use(upload_id), soci::use(after_number), soci::use(limit));
        std::vector<PartRow> rows;
        statement.execute();
        while (statement.fetch()) {
            row.part_number = static_cast<std::uint32_t>(part_number);
            row.size_bytes = static_cast<std::uint64_t>(size_bytes);
            row.last_modified = last_modified;
            rows.push_back(row);
        }
        return rows;
    });
}

Result<void> DeleteParts(soci::session& sql, const std::string& upload_id) {
    return Guard([&]() -> Result<void> {
        sql << "DELETE FROM upload_parts WHERE upload_id = :id", soci::use(upload_id);
        return {};
    });
}

}  // namespace espalier::meta
