// Between HTTP headers and what the store keeps of an object: attributes, conditions, and the answer's headers.
// Headers that would change what S3 does and are not implemented here are refused, never ignored. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/s3/s3_operation.h"

namespace espalier::api::s3 {

inline constexpr std::size_t kMetadataBytesMax = 2048;

/// Content-Type ("binary/octet-stream" when absent), the other system headers, x-amz-meta-*. MetadataTooLarge.
S3Result<store::ObjectAttributes> ParseAttributes(const S3Request& request);

/// NotImplemented, AccessControlListNotSupported or InvalidStorageClass for headers of a write that ask for encryption,
/// tags, locks, ACLs, storage classes and other things this store has not.
S3Result<Done> RefuseUnsupportedHeaders(const S3Request& request);

/// If-None-Match: * and If-Match of a write.
S3Result<store::WriteCondition> ParseWriteCondition(const S3Request& request);

/// The early half of a write condition, before a body is read. The store decides it again with the write.
S3Result<Done> CheckWriteConditionEarly(const S3Context& context, const S3Request& request,
                                        const store::WriteCondition& condition);

/// Only the null version exists: NoSuchVersion for any other versionId.
S3Result<Done> CheckVersion(const S3Request& request);

/// Last-Modified, ETag, system headers, x-amz-meta-*.
void AddObjectHeaders(const store::ObjectInfo& info, http::Headers& headers);
/// x-amz-checksum-<algorithm> and x-amz-checksum-type.
void AddChecksumHeaders(const store::Checksum& checksum, http::Headers& headers);

/// The conditions of a read (If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since), or of a copy's source
/// with their "x-amz-copy-source-" prefix. PreconditionFailed; NotModified, for a copy PreconditionFailed too.
S3Result<Done> CheckReadConditions(const S3Request& request, const store::ObjectInfo& info, bool is_copy_source);

/// False when an If-Range header speaks of another version than this one: then Range is to be ignored.
bool IfRangeHolds(const S3Request& request, const store::ObjectInfo& info);

struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
};
/// A Range header against an object of that size: nullopt when absent or malformed (then it is ignored), InvalidRange
/// when it lies outside.
S3Result<std::optional<ByteRange>> ParseRange(std::optional<std::string_view> header, std::uint64_t object_bytes);

}  // namespace espalier::api::s3
