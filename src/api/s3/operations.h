// The operations of S3 that this server has, one function each, and the table that finds them by method, resource and
// sub-resource. An operation's file is named after it. A sub-resource that is not in the table is NotImplemented: a
// request is never taken for a plain read or write because of a parameter that is not known.
#pragma once

#include <span>
#include <string_view>

#include "api/s3/s3_operation.h"

namespace espalier::api::s3 {

enum class Resource { kService, kBucket, kObject };

struct OperationRow {
    std::string_view method;
    Resource resource;
    /// A query parameter that must be present; "" for the plain operation.
    std::string_view sub_resource;
    /// A header that must be present besides; "" for none.
    std::string_view header;
    std::string_view name;
    Operation run;
    /// The body is pulled by the operation; otherwise the server reads it whole.
    bool streams_body;
};

/// Sorted by method, resource and sub-resource; a row with a header before the one without.
std::span<const OperationRow> Operations();

/// The row for a request, or the refusal: NotImplemented or MethodNotAllowed.
S3Result<const OperationRow*> FindOperation(const http::RequestHead& head, const S3Target& target);

// Buckets.
S3Result<Reply> ListBuckets(const S3Context& context, const S3Request& request);
S3Result<Reply> CreateBucket(const S3Context& context, const S3Request& request);
S3Result<Reply> HeadBucket(const S3Context& context, const S3Request& request);
S3Result<Reply> DeleteBucket(const S3Context& context, const S3Request& request);
S3Result<Reply> GetBucketLocation(const S3Context& context, const S3Request& request);
/// GET of a configuration that a bucket here never has: AWS's answer for its absence.
S3Result<Reply> GetAbsentConfiguration(const S3Context& context, const S3Request& request);

// Objects.
S3Result<Reply> PutObject(const S3Context& context, const S3Request& request);
S3Result<Reply> CopyObject(const S3Context& context, const S3Request& request);
/// GET and HEAD.
S3Result<Reply> GetObject(const S3Context& context, const S3Request& request);
S3Result<Reply> GetObjectTagging(const S3Context& context, const S3Request& request);
S3Result<Reply> DeleteObject(const S3Context& context, const S3Request& request);
S3Result<Reply> DeleteObjects(const S3Context& context, const S3Request& request);
/// Versions 1 and 2, by list-type.
S3Result<Reply> ListObjects(const S3Context& context, const S3Request& request);

// Multipart uploads.
S3Result<Reply> CreateMultipartUpload(const S3Context& context, const S3Request& request);
S3Result<Reply> UploadPart(const S3Context& context, const S3Request& request);
S3Result<Reply> UploadPartCopy(const S3Context& context, const S3Request& request);
S3Result<Reply> CompleteMultipartUpload(const S3Context& context, const S3Request& request);
S3Result<Reply> AbortMultipartUpload(const S3Context& context, const S3Request& request);
S3Result<Reply> ListParts(const S3Context& context, const S3Request& request);
S3Result<Reply> ListMultipartUploads(const S3Context& context, const S3Request& request);

}  // namespace espalier::api::s3
