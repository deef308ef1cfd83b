// Every S3 error this server answers: wire code, HTTP status and AWS's own sentence, in one table (s3_errors.cc).
//
// Nouns: S3Code, S3Error (a code, perhaps another sentence than the table's, perhaps extra elements).
// Source: Amazon S3 API reference, "Error responses"; contracts/api.md 3.12. Plain values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace espalier::api::s3 {

enum class S3Code {
    kAccessControlListNotSupported,
    kAccessDenied,
    kBadDigest,
    kBucketAlreadyOwnedByYou,
    kBucketNotEmpty,
    kConditionalRequestConflict,
    kEntityTooLarge,
    kEntityTooSmall,
    kIncompleteBody,
    kInternalError,
    kInvalidArgument,
    kInvalidBucketName,
    kInvalidDigest,
    kInvalidLocationConstraint,
    kInvalidPart,
    kInvalidPartOrder,
    kInvalidRange,
    kInvalidRequest,
    kInvalidStorageClass,
    kInvalidUri,
    kKeyTooLong,
    kMalformedTrailer,
    kMalformedXml,
    kMetadataTooLarge,
    kMethodNotAllowed,
    kMissingContentLength,
    kNoSuchBucket,
    kNoSuchBucketPolicy,
    kNoSuchCorsConfiguration,
    kNoSuchKey,
    kNoSuchLifecycleConfiguration,
    kNoSuchPublicAccessBlockConfiguration,
    kNoSuchTagSet,
    kNoSuchUpload,
    kNoSuchVersion,
    kNoSuchWebsiteConfiguration,
    kNotImplemented,
    kNotModified,  ///< not an error on the wire: 304 without a body
    kObjectLockConfigurationNotFound,
    kOwnershipControlsNotFound,
    kPreconditionFailed,
    kReplicationConfigurationNotFound,
    kRequestTimeout,
    kServerSideEncryptionConfigurationNotFound,
    kSignatureDoesNotMatch,
    kSlowDown,
    kXAmzContentSha256Mismatch,
};

class S3Error {
  public:
    explicit S3Error(S3Code code) : code_(code) {}
    S3Error(S3Code code, std::string message) : code_(code), message_(std::move(message)) {}
    /// What the store or the connection says, as S3 says it. Unknown failures are InternalError, and are logged.
    S3Error(const Error& error);  // NOLINT: implicit, so that TRY works on the store's results

    /// An element of the error document besides Code and Message: With("ArgumentName", "max-keys").
    S3Error&& With(std::string name, std::string value) && {
        details_.emplace_back(std::move(name), std::move(value));
        return std::move(*this);
    }

    S3Code code() const { return code_; }
    int status() const;
    /// "NoSuchKey".
    std::string_view wire_code() const;
    std::string_view message() const;
    const std::vector<std::pair<std::string, std::string>>& details() const { return details_; }

  private:
    S3Code code_;
    std::string message_;  ///< "" = the table's
    std::vector<std::pair<std::string, std::string>> details_;
};

/// InvalidArgument with its ArgumentName and ArgumentValue elements.
S3Error InvalidArgument(std::string message, std::string name, std::string value);
/// NotImplemented for a header that would change what is done.
S3Error NotImplementedHeader(std::string_view name);

}  // namespace espalier::api::s3
