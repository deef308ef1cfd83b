// The buckets table. Functions run inside a transaction of Database::Write or Read and throw nothing.
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

struct BucketRow {
    std::string name;
    std::string region;
    UnixMillis created_at = 0;
};

/// kConflict when the name is taken.
Result<void> InsertBucket(soci::session& sql, const BucketRow& row);
Result<std::optional<BucketRow>> FindBucket(soci::session& sql, const std::string& name);
/// Names that start with `prefix` and come after `start_after`, in order.
Result<std::vector<BucketRow>> ListBuckets(soci::session& sql, const std::string& prefix,
                                           const std::string& start_after, std::uint32_t max_rows);
/// kConflict while rows refer to it.
Result<void> DeleteBucket(soci::session& sql, const std::string& name);

}  // namespace espalier::meta
