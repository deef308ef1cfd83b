// The objects table: one row per object that exists. Functions run inside a transaction of Database::Write or Read and
// throw nothing. The texts in `headers`, `user_metadata` and `block_checksums` are the store's (docs/formats.md).
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

struct ObjectRow {
    std::string bucket;
    std::string key;
    std::string blob_id;
    std::uint64_t size_bytes = 0;
    std::string etag;
    UnixMillis last_modified = 0;
    std::string headers;
    std::string user_metadata;
    std::string checksum_algorithm;
    std::string checksum_type;
    std::string checksum_value;
    std::uint32_t num_parts = 0;
    std::string block_checksums;
};

/// The columns that decide whether an object may be replaced, and what becomes garbage then.
struct ObjectIdentity {
    std::string blob_id;
    std::string etag;
};

/// Inserts the row or replaces the one of the same bucket and key.
Result<void> UpsertObject(soci::session& sql, const ObjectRow& row);
Result<std::optional<ObjectRow>> FindObject(soci::session& sql, const std::string& bucket, const std::string& key);
Result<std::optional<ObjectIdentity>> FindObjectIdentity(soci::session& sql, const std::string& bucket,
                                                         const std::string& key);
Result<void> DeleteObject(soci::session& sql, const std::string& bucket, const std::string& key);
Result<bool> BucketHasObjects(soci::session& sql, const std::string& bucket);

/// A range of keys in byte order.
struct KeyRange {
    std::string from;
    bool from_is_excluded = false;
    std::string end;  ///< excluded; "" = no end
};
/// At most max_rows rows of the range, in key order, without headers, user_metadata and block_checksums.
Result<std::vector<ObjectRow>> ListObjects(soci::session& sql, const std::string& bucket, const KeyRange& range,
                                           std::uint32_t max_rows);

/// Every blob that a row of objects or upload_parts refers to, with from <= id < end, unordered.
Result<std::vector<std::string>> ListBlobIds(soci::session& sql, const std::string& from, const std::string& end);

}  // namespace espalier::meta
