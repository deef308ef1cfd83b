#include "api/s3/s3_errors.h"

#include "base/check.h"
#include "base/log.h"
#include "store/faults.h"

namespace espalier::api::s3 {
namespace {

struct CodeRow {
    S3Code code;
    std::string_view wire;
    int status;
    std::string_view message;
};

// Sorted by code. Two blanks in a sentence are AWS's own.
constexpr CodeRow kCodes[] = {
    {S3Code::kAccessControlListNotSupported, "AccessControlListNotSupported", 400, "The bucket does not allow ACLs"},
    {S3Code::kAccessDenied, "AccessDenied", 403, "Access Denied"},
    {S3Code::kBadDigest, "BadDigest", 400, "The Content-MD5 you specified did not match what we received."},
    {S3Code::kBucketAlreadyOwnedByYou, "BucketAlreadyOwnedByYou", 409,
     "Your previous request to create the named bucket succeeded and you already own it."},
    {S3Code::kBucketNotEmpty, "BucketNotEmpty", 409, "The bucket you tried to delete is not empty"},
    {S3Code::kConditionalRequestConflict, "ConditionalRequestConflict", 409,
     "The conditional request cannot succeed due to a conflicting operation against this resource."},
    {S3Code::kEntityTooLarge, "EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"},
    {S3Code::kEntityTooSmall, "EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"},
    {S3Code::kIncompleteBody, "IncompleteBody", 400,
     "You did not provide the number of bytes specified by the Content-Length HTTP header"},
    {S3Code::kInternalError, "InternalError", 500, "We encountered an internal error. Please try again."},
    {S3Code::kInvalidArgument, "InvalidArgument", 400, "Invalid Argument"},
    {S3Code::kInvalidBucketName, "InvalidBucketName", 400, "The specified bucket is not valid."},
    {S3Code::kInvalidDigest, "InvalidDigest", 400, "The Content-MD5 you specified was invalid."},
    {S3Code::kInvalidLocationConstraint, "InvalidLocationConstraint", 400,
     "The specified location-constraint is not valid"},
    {S3Code::kInvalidPart, "InvalidPart", 400,
     "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
     "entity tag may not match the part's entity tag."},
    {S3Code::kInvalidPartOrder, "InvalidPartOrder", 400,
     "The list of parts was not in ascending order. Parts must be ordered by part number."},
    {S3Code::kInvalidRange, "InvalidRange", 416, "The requested range is not satisfiable"},
    {S3Code::kInvalidRequest, "InvalidRequest", 400, "Invalid Request"},
    {S3Code::kInvalidStorageClass, "InvalidStorageClass", 400, "The storage class you specified is not valid"},
    {S3Code::kInvalidUri, "InvalidURI", 400, "Couldn't parse the specified URI."},
    {S3Code::kKeyTooLong, "KeyTooLongError", 400, "Your key is too long"},
    {S3Code::kMalformedTrailer, "MalformedTrailerError", 400,
     "The request contained trailing data that was not well-formed or did not conform to our published schema."},
    {S3Code::kMalformedXml, "MalformedXML", 400,
     "The XML you provided was not well-formed or did not validate against our published schema"},
    {S3Code::kMetadataTooLarge, "MetadataTooLarge", 400,
     "Your metadata headers exceed the maximum allowed metadata size"},
    {S3Code::kMethodNotAllowed, "MethodNotAllowed", 405, "The specified method is not allowed against this resource."},
    {S3Code::kMissingContentLength, "MissingContentLength", 411, "You must provide the Content-Length HTTP header."},
    {S3Code::kNoSuchBucket, "NoSuchBucket", 404, "The specified bucket does not exist"},
    {S3Code::kNoSuchBucketPolicy, "NoSuchBucketPolicy", 404, "The bucket policy does not exist"},
    {S3Code::kNoSuchCorsConfiguration, "NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"},
    {S3Code::kNoSuchKey, "NoSuchKey", 404, "The specified key does not exist."},
    {S3Code::kNoSuchLifecycleConfiguration, "NoSuchLifecycleConfiguration", 404,
     "The lifecycle configuration does not exist"},
    {S3Code::kNoSuchPublicAccessBlockConfiguration, "NoSuchPublicAccessBlockConfiguration", 404,
     "The public access block configuration was not found"},
    {S3Code::kNoSuchTagSet, "NoSuchTagSet", 404, "The TagSet does not exist"},
    {S3Code::kNoSuchUpload, "NoSuchUpload", 404,
     "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
     "completed."},
    {S3Code::kNoSuchVersion, "NoSuchVersion", 404, "The specified version does not exist."},
    {S3Code::kNoSuchWebsiteConfiguration, "NoSuchWebsiteConfiguration", 404,
     "The specified bucket does not have a website configuration"},
    {S3Code::kNotImplemented, "NotImplemented", 501,
     "A header you provided implies functionality that is not implemented"},
    {S3Code::kNotModified, "NotModified", 304, "Not Modified"},
    {S3Code::kObjectLockConfigurationNotFound, "ObjectLockConfigurationNotFoundError", 404,
     "Object Lock configuration does not exist for this bucket"},
    {S3Code::kOwnershipControlsNotFound, "OwnershipControlsNotFoundError", 404,
     "The bucket ownership controls were not found"},
    {S3Code::kPreconditionFailed, "PreconditionFailed", 412,
     "At least one of the pre-conditions you specified did not hold"},
    {S3Code::kReplicationConfigurationNotFound, "ReplicationConfigurationNotFoundError", 404,
     "The replication configuration was not found"},
    {S3Code::kRequestTimeout, "RequestTimeout", 400,
     "Your socket connection to the server was not read from or written to within the timeout period."},
    {S3Code::kServerSideEncryptionConfigurationNotFound, "ServerSideEncryptionConfigurationNotFoundError", 404,
     "The server side encryption configuration was not found"},
    {S3Code::kSignatureDoesNotMatch, "SignatureDoesNotMatch", 403,
     "The request signature we calculated does not match the signature you provided. Check your key and signing "
     "method."},
    {S3Code::kSlowDown, "SlowDown", 503, "Please reduce your request rate."},
    {S3Code::kXAmzContentSha256Mismatch, "XAmzContentSHA256Mismatch", 400,
     "The provided 'x-amz-content-sha256' header does not match what was computed."},
};

const CodeRow& RowOf(S3Code code) {
    for (const CodeRow& row : kCodes) {
        if (row.code == code) return row;
    }
    CHECK(false, "an S3 error without a row");
    return kCodes[0];
}

S3Code CodeOf(store::Fault fault) {
    switch (fault) {
        case store::Fault::kNoSuchBucket:
            return S3Code::kNoSuchBucket;
        case store::Fault::kNoSuchKey:
            return S3Code::kNoSuchKey;
        case store::Fault::kNoSuchUpload:
            return S3Code::kNoSuchUpload;
        case store::Fault::kBucketExists:
            return S3Code::kBucketAlreadyOwnedByYou;
        case store::Fault::kBucketNotEmpty:
            return S3Code::kBucketNotEmpty;
        case store::Fault::kPreconditionFailed:
            return S3Code::kPreconditionFailed;
        case store::Fault::kInvalidPart:
            return S3Code::kInvalidPart;
        case store::Fault::kInvalidPartOrder:
            return S3Code::kInvalidPartOrder;
        case store::Fault::kPartTooSmall:
            return S3Code::kEntityTooSmall;
        case store::Fault::kObjectTooLarge:
            return S3Code::kEntityTooLarge;
        case store::Fault::kSizeMismatch:
            return S3Code::kInvalidRequest;
        case store::Fault::kChecksumMismatch:
            return S3Code::kBadDigest;
        case store::Fault::kConcurrentChange:
            return S3Code::kConditionalRequestConflict;
    }
    return S3Code::kInternalError;
}

}  // namespace

S3Error::S3Error(const Error& error) : code_(S3Code::kInternalError) {
    if (const auto fault = store::FaultOf(error)) {
        code_ = CodeOf(*fault);
        if (*fault == store::Fault::kSizeMismatch || *fault == store::Fault::kChecksumMismatch) {
            message_ = error.message();
        }
        return;
    }
    // A full disk is nobody's fault that a retry mends at once; the sentence names it.
    if (error.code() == ErrorCode::kResourceLimit) message_ = "The server is out of a resource: " + error.message();
    if (error.code() == ErrorCode::kUnavailable) code_ = S3Code::kSlowDown;
    LOG_ERROR("S3 request failed", {"code", ToString(error.code())}, {"error", error.ToString()});
}

int S3Error::status() const {
    return RowOf(code_).status;
}
std::string_view S3Error::wire_code() const {
    return RowOf(code_).wire;
}
std::string_view S3Error::message() const {
    return message_.empty() ? RowOf(code_).message : std::string_view(message_);
}

S3Error InvalidArgument(std::string message, std::string name, std::string value) {
    return S3Error(S3Code::kInvalidArgument, std::move(message))
        .With("ArgumentName", std::move(name))
        .With("ArgumentValue", std::move(value));
}

S3Error NotImplementedHeader(std::string_view name) {
    return S3Error(S3Code::kNotImplemented).With("Header", std::string(name));
}

}  // namespace espalier::api::s3
