// The x-amz-copy-source header of CopyObject and UploadPartCopy.
#pragma once

#include <memory>

#include "api/s3/s3_operation.h"

namespace espalier::api::s3 {

struct CopySource {
    store::BucketName bucket;
    store::ObjectKey key;
};

/// "bucket/key" or "/bucket/key", percent-encoded, perhaps with "?versionId=null".
S3Result<CopySource> ParseCopySource(const S3Request& request);

/// The source opened, its x-amz-copy-source-if-* conditions checked.
S3Result<std::unique_ptr<store::ObjectReader>> OpenCopySource(const S3Context& context, const S3Request& request,
                                                              const CopySource& source);

}  // namespace espalier::api::s3
