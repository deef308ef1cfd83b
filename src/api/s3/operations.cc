#include "api/s3/operations.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace espalier::api::s3 {
namespace {

constexpr std::string_view kCopySource = "x-amz-copy-source";

constexpr OperationRow kOperations[] = {
    {"DELETE", Resource::kBucket, "", "", "DeleteBucket", DeleteBucket, false},
    {"DELETE", Resource::kObject, "", "", "DeleteObject", DeleteObject, false},
    {"DELETE", Resource::kObject, "uploadId", "", "AbortMultipartUpload", AbortMultipartUpload, false},
    {"GET", Resource::kBucket, "", "", "ListObjects", ListObjects, false},
    {"GET", Resource::kBucket, "cors", "", "GetBucketCors", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "encryption", "", "GetBucketEncryption", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "lifecycle", "", "GetBucketLifecycle", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "location", "", "GetBucketLocation", GetBucketLocation, false},
    {"GET", Resource::kBucket, "logging", "", "GetBucketLogging", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "notification", "", "GetBucketNotification", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "object-lock", "", "GetObjectLockConfiguration", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "ownershipControls", "", "GetBucketOwnershipControls", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "policy", "", "GetBucketPolicy", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "policyStatus", "", "GetBucketPolicyStatus", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "publicAccessBlock", "", "GetPublicAccessBlock", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "replication", "", "GetBucketReplication", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "tagging", "", "GetBucketTagging", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "uploads", "", "ListMultipartUploads", ListMultipartUploads, false},
    {"GET", Resource::kBucket, "versioning", "", "GetBucketVersioning", GetAbsentConfiguration, false},
    {"GET", Resource::kBucket, "website", "", "GetBucketWebsite", GetAbsentConfiguration, false},
    {"GET", Resource::kObject, "", "", "GetObject", GetObject, false},
    {"GET", Resource::kObject, "tagging", "", "GetObjectTagging", GetObjectTagging, false},
    {"GET", Resource::kObject, "uploadId", "", "ListParts", ListParts, false},
    {"GET", Resource::kService, "", "", "ListBuckets", ListBuckets, false},
    {"HEAD", Resource::kBucket, "", "", "HeadBucket", HeadBucket, false},
    {"HEAD", Resource::kObject, "", "", "HeadObject", GetObject, false},
    {"POST", Resource::kBucket, "delete", "", "DeleteObjects", DeleteObjects, false},
    {"POST", Resource::kObject, "uploadId", "", "CompleteMultipartUpload", CompleteMultipartUpload, false},
    {"POST", Resource::kObject, "uploads", "", "CreateMultipartUpload", CreateMultipartUpload, false},
    {"PUT", Resource::kBucket, "", "", "CreateBucket", CreateBucket, false},
    {"PUT", Resource::kObject, "", kCopySource, "CopyObject", CopyObject, false},
    {"PUT", Resource::kObject, "", "", "PutObject", PutObject, true},
    {"PUT", Resource::kObject, "uploadId", kCopySource, "UploadPartCopy", UploadPartCopy, false},
    {"PUT", Resource::kObject, "uploadId", "", "UploadPart", UploadPart, true},
};

// Every sub-resource of the S3 API as of 2026, so that those without a row are told from parameters with a value that
// clients add for themselves (and S3 ignores). A name without '=' counts as a sub-resource in any case.
constexpr std::array<std::string_view, 43> kSubResources = {"accelerate",
                                                            "acl",
                                                            "analytics",
                                                            "append",
                                                            "attributes",
                                                            "cors",
                                                            "delete",
                                                            "encryption",
                                                            "intelligent-tiering",
                                                            "inventory",
                                                            "legal-hold",
                                                            "lifecycle",
                                                            "location",
                                                            "logging",
                                                            "metadataConfiguration",
                                                            "metadataInventoryTable",
                                                            "metadataJournalTable",
                                                            "metadataTable",
                                                            "metrics",
                                                            "notification",
                                                            "object-lock",
                                                            "ownershipControls",
                                                            "policy",
                                                            "policyStatus",
                                                            "publicAccessBlock",
                                                            "renameObject",
                                                            "replication",
                                                            "requestPayment",
                                                            "restore",
                                                            "retention",
                                                            "select",
                                                            "session",
                                                            "tagging",
                                                            "torrent",
                                                            "uploadId",
                                                            "uploads",
                                                            "versioning",
                                                            "versions",
                                                            "website",
                                                            "select-type",
                                                            "abac",
                                                            "encryptionType",
                                                            "torrents"};

/// Valueless parameters that are options of an operation and no sub-resource.
constexpr std::array<std::string_view, 8> kOptions = {"prefix",     "delimiter",   "marker",           "start-after",
                                                      "key-marker", "fetch-owner", "upload-id-marker", "encoding-type"};

bool IsSubResource(const std::pair<std::string, std::string>& parameter) {
    const auto& [name, value] = parameter;
    if (std::find(kSubResources.begin(), kSubResources.end(), name) != kSubResources.end()) return true;
    const bool is_option = std::find(kOptions.begin(), kOptions.end(), name) != kOptions.end();
    return value.empty() && !is_option && !name.starts_with("X-Amz-") && !name.starts_with("x-") &&
           !name.starts_with("response-");
}

Resource ResourceOf(const S3Target& target) {
    if (target.bucket.empty()) return Resource::kService;
    return target.key.empty() ? Resource::kBucket : Resource::kObject;
}

}  // namespace

std::span<const OperationRow> Operations() {
    return kOperations;
}

S3Result<const OperationRow*> FindOperation(const http::RequestHead& head, const S3Target& target) {
    std::string_view sub_resource;
    for (const auto& parameter : target.query) {
        if (!IsSubResource(parameter)) continue;
        // "?uploads&uploadId=x" and the like name two things at once.
        if (!sub_resource.empty() && sub_resource != parameter.first) {
            return S3Error(S3Code::kInvalidArgument, "Conflicting sub-resources in the query string");
        }
        sub_resource = parameter.first;
    }
    bool resource_is_known = false;
    for (const OperationRow& row : kOperations) {
        if (row.resource != ResourceOf(target) || row.sub_resource != sub_resource) continue;
        resource_is_known = true;
        if (row.method != head.method) continue;
        if (!row.header.empty() && !head.headers.Has(row.header)) continue;
        return &row;
    }
    if (!sub_resource.empty()) {
        return S3Error(S3Code::kNotImplemented,
                       "This operation is not implemented: " + head.method + " of ?" + std::string(sub_resource));
    }
    if (!resource_is_known || head.method != "OPTIONS") {
        return S3Error(S3Code::kMethodNotAllowed).With("Method", head.method);
    }
    return S3Error(S3Code::kNotImplemented, "CORS is not implemented");
}

Reply XmlReply(std::string document) {
    Reply reply;
    reply.response.headers.Set("Content-Type", "application/xml");
    reply.response.body = std::move(document);
    return reply;
}

Reply EmptyReply(int status) {
    Reply reply;
    reply.response.status = status;
    return reply;
}

std::string Quoted(std::string_view etag) {
    return "\"" + std::string(etag) + "\"";
}

}  // namespace espalier::api::s3
