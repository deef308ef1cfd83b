// The uploads and upload_parts tables: multipart uploads in progress, and completed ones for a day (so that a repeated
// Complete gets the same answer). Functions run inside a transaction of Database::Write or Read and throw nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace soci {
class session;
}

namespace espalier::meta {

struct UploadRow {
    std::string id;
    std::string bucket;
    std::string key;
    UnixMillis created_at = 0;
    std::string headers;
    std::string user_metadata;
    std::string checksum_algorithm;
    std::string checksum_type;
    UnixMillis completed_at = 0;  ///< 0 = open
    std::string completed_etag;
    std::string completed_checksum;
};

struct PartRow {
    std::string upload_id;
    std::uint32_t part_number = 0;
    std::string blob_id;
    std::uint64_t size_bytes = 0;
    std::string md5;  ///< hex
    UnixMillis last_modified = 0;
    std::string checksum_value;
    std::string block_checksums;
};

Result<void> InsertUpload(soci::session& sql, const UploadRow& row);
/// Open or completed.
Result<std::optional<UploadRow>> FindUpload(soci::session& sql, const std::string& id);
Result<void> MarkUploadCompleted(soci::session& sql, const std::string& id, UnixMillis completed_at,
                                 const std::string& etag, const std::string& checksum);
/// Its parts go with it.
Result<void> DeleteUpload(soci::session& sql, const std::string& id);
Result<void> DeleteUploadsCompletedBefore(soci::session& sql, UnixMillis time);
/// Open uploads of the bucket with (key, id) > (after_key, after_id), key >= from_key, in that order.
Result<std::vector<UploadRow>> ListOpenUploads(soci::session& sql, const std::string& bucket,
                                               const std::string& from_key, const std::string& after_key,
                                               const std::string& after_id, std::uint32_t max_rows);
/// Open and completed ones.
Result<std::vector<std::string>> ListUploadIdsOfBucket(soci::session& sql, const std::string& bucket);

/// Inserts the part or replaces the one of the same number.
Result<void> UpsertPart(soci::session& sql, const PartRow& row);
/// The blob of that part, if it exists.
Result<std::optional<std::string>> FindPartBlob(soci::session& sql, const std::string& upload_id,
                                                std::uint32_t part_number);
/// Parts with a number above `after`, in order.
Result<std::vector<PartRow>> ListParts(soci::session& sql, const std::string& upload_id, std::uint32_t after,
                                       std::uint32_t max_rows);
Result<void> DeleteParts(soci::session& sql, const std::string& upload_id);

}  // namespace espalier::meta
