// What the store knows of an object besides its bytes. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace espalier::store {

/// Ordered (name, value) pairs; names are lower case.
using NameValues = std::vector<std::pair<std::string, std::string>>;

enum class ChecksumAlgorithm { kNone, kCrc32, kCrc32c, kCrc64nvme, kSha1, kSha256 };
/// kComposite: a checksum over the parts' checksums, "base64-N". kFullObject: over the object's bytes.
enum class ChecksumType { kFullObject, kComposite };

/// "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"; "" for kNone. The same names are stored and sent.
std::string_view NameOf(ChecksumAlgorithm algorithm);
/// nullopt for another name; case counts. "" gives kNone.
std::optional<ChecksumAlgorithm> ParseChecksumAlgorithm(std::string_view name);
/// "FULL_OBJECT", "COMPOSITE".
std::string_view NameOf(ChecksumType type);
std::optional<ChecksumType> ParseChecksumType(std::string_view name);

struct Checksum {
    ChecksumAlgorithm algorithm = ChecksumAlgorithm::kNone;
    ChecksumType type = ChecksumType::kFullObject;
    std::string value;  ///< base64 of the big-endian bytes; "-N" appended for kComposite; "" when kNone
};

/// What a writer says about the object besides its bytes; returned as given.
struct ObjectAttributes {
    /// System headers by their lower-case names: content-type, content-encoding, cache-control, content-disposition,
    /// content-language, expires. Absent = not given.
    NameValues headers;
    NameValues user_metadata;  ///< without the "x-amz-meta-" prefix
};

struct ObjectInfo {
    std::string key;
    std::uint64_t size_bytes = 0;
    std::string etag;  ///< without quotes: 32 hex digits, with "-N" after a multipart upload of N parts
    UnixMillis last_modified = 0;
    ObjectAttributes attributes;
    Checksum checksum;
    std::uint32_t num_parts = 0;  ///< 0 = written by one put
};

struct BucketInfo {
    std::string name;
    std::string region;
    UnixMillis created_at = 0;
};

/// What must hold of the object already there, decided in the same transaction as the change.
struct WriteCondition {
    bool if_absent = false;               ///< If-None-Match: *
    std::optional<std::string> if_match;  ///< an etag without quotes, or "*" for any object
};

}  // namespace espalier::store
