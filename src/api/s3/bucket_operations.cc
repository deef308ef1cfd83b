// CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation, and the configurations that no bucket here has.
#include <algorithm>
#include <array>

#include "api/s3/incoming_body.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/s3_xml.h"

namespace espalier::api::s3 {
namespace {

constexpr std::string_view kDefaultRegion = "us-east-1";
constexpr std::size_t kRegionBytesMax = 32;

struct AbsentConfiguration {
    std::string_view sub_resource;
    S3Code code;
    std::string_view empty_document;  ///< instead of an error
};

// What AWS answers for a bucket on which the thing was never set.
constexpr std::array<AbsentConfiguration, 14> kAbsentConfigurations = {{
    {"cors", S3Code::kNoSuchCorsConfiguration, ""},
    {"encryption", S3Code::kServerSideEncryptionConfigurationNotFound, ""},
    {"lifecycle", S3Code::kNoSuchLifecycleConfiguration, ""},
    {"logging", S3Code::kInternalError, "BucketLoggingStatus"},
    {"notification", S3Code::kInternalError, "NotificationConfiguration"},
    {"object-lock", S3Code::kObjectLockConfigurationNotFound, ""},
    {"ownershipControls", S3Code::kOwnershipControlsNotFound, ""},
    {"policy", S3Code::kNoSuchBucketPolicy, ""},
    {"policyStatus", S3Code::kNoSuchBucketPolicy, ""},
    {"publicAccessBlock", S3Code::kNoSuchPublicAccessBlockConfiguration, ""},
    {"replication", S3Code::kReplicationConfigurationNotFound, ""},
    {"tagging", S3Code::kNoSuchTagSet, ""},
    {"versioning", S3Code::kInternalError, "VersioningConfiguration"},
    {"website", S3Code::kNoSuchWebsiteConfiguration, ""},
}};

bool IsRegionName(std::string_view text) {
    return text.size() <= kRegionBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
           });
}

}  // namespace

S3Result<Reply> CreateBucket(const S3Context& context, const S3Request& request) {
    TRY(RefuseUnsupportedHeaders(request));
    if (request.header("x-amz-bucket-object-lock-enabled").value_or("false") != "false") {
        return NotImplementedHeader("x-amz-bucket-object-lock-enabled");
    }
    if (request.header("x-amz-object-ownership").value_or("BucketOwnerEnforced") != "BucketOwnerEnforced") {
        return NotImplementedHeader("x-amz-object-ownership");
    }
    const std::string text = TRY(IncomingBody::ReadBuffered(request));
    std::string region = TRY(ParseCreateBucket(text));
    // Without a constraint the bucket lies where the client believes to be, so that no region redirect ever arises.
    if (region.empty()) region = request.principal.region;
    if (region.empty()) region = kDefaultRegion;
    if (region == "EU") region = "eu-west-1";  // the name of before there were regions
    if (!IsRegionName(region)) {
        return S3Error(S3Code::kInvalidLocationConstraint).With("LocationConstraint", std::move(region));
    }
    const Result<void> created = context.store.CreateBucket(*request.bucket, region);
    if (!created) {
        if (store::FaultOf(created.error()) != store::Fault::kBucketExists) return created.error();
        // In us-east-1 creating one's own bucket again succeeds.
        const store::BucketInfo existing = TRY(context.store.HeadBucket(*request.bucket));
        if (existing.region != kDefaultRegion || region != kDefaultRegion) {
            return S3Error(S3Code::kBucketAlreadyOwnedByYou);
        }
    }
    Reply reply = EmptyReply(200);
    reply.response.headers.Set("Location", "/" + request.bucket->str());
    return reply;
}

S3Result<Reply> HeadBucket(const S3Context& context, const S3Request& request) {
    const store::BucketInfo info = TRY(context.store.HeadBucket(*request.bucket));
    Reply reply = EmptyReply(200);
    reply.response.headers.Set("x-amz-bucket-region", info.region);
    reply.response.headers.Set("x-amz-access-point-alias", "false");
    reply.response.headers.Set("Content-Type", "application/xml");
    return reply;
}

S3Result<Reply> DeleteBucket(const S3Context& context, const S3Request& request) {
    TRY(context.store.DeleteBucket(*request.bucket));
    return EmptyReply(204);
}

S3Result<Reply> GetBucketLocation(const S3Context& context, const S3Request& request) {
    const store::BucketInfo info = TRY(context.store.HeadBucket(*request.bucket));
    // The root element itself holds the region; it is empty for us-east-1.
    const std::string region = info.region == kDefaultRegion ? "" : info.region;
    std::string document = XmlWriter("LocationConstraint").Finish();
    const std::size_t end = document.rfind("</");
    document.insert(end, region);
    return XmlReply(std::move(document));
}

S3Result<Reply> GetAbsentConfiguration(const S3Context& context, const S3Request& request) {
    TRY(context.store.HeadBucket(*request.bucket));
    for (const AbsentConfiguration& row : kAbsentConfigurations) {
        if (!request.target.Parameter(row.sub_resource)) continue;
        if (!row.empty_document.empty()) return XmlReply(XmlWriter(row.empty_document).Finish());
        return S3Error(row.code).With("BucketName", request.bucket->str());
    }
    return S3Error(S3Code::kNotImplemented);
}

}  // namespace espalier::api::s3
