#include "api/s3/list_parameters.h"
#include "api/s3/operations.h"
#include "api/s3/s3_time.h"
#include "api/s3/s3_xml.h"

namespace espalier::api::s3 {
namespace {

constexpr std::uint32_t kBucketsMax = 10000;

}  // namespace

S3Result<Reply> ListBuckets(const S3Context& context, const S3Request& request) {
    const std::uint32_t max_buckets = TRY(ParseCount(request, "max-buckets", kBucketsMax, kBucketsMax));
    if (max_buckets == 0) {
        return InvalidArgument("Argument max-buckets must be an integer between 1 and 10000", "max-buckets", "0");
    }
    const std::string prefix(request.target.Parameter("prefix").value_or(""));
    const std::string_view token = request.target.Parameter("continuation-token").value_or("");
    const std::string start_after = token.empty() ? "" : TRY(DecodeToken(token));
    const std::string_view region = request.target.Parameter("bucket-region").value_or("");

    XmlWriter xml("ListAllMyBucketsResult");
    xml.Open("Owner").Text("ID", OwnerIdOf(request.principal)).Close("Owner").Open("Buckets");
    // One more than asked for tells whether there is another page.
    auto buckets = TRY(context.store.ListBuckets(prefix, start_after, max_buckets + 1));
    std::string next_token;
    if (buckets.size() > max_buckets) {
        buckets.pop_back();
        next_token = EncodeToken(buckets.back().name);
    }
    for (const store::BucketInfo& bucket : buckets) {
        if (!region.empty() && bucket.region != region) continue;
        xml.Open("Bucket")
            .Text("Name", bucket.name)
            .Text("CreationDate", FormatIso8601(bucket.created_at))
            .Text("BucketRegion", bucket.region)
            .Close("Bucket");
    }
    xml.Close("Buckets").Optional("Prefix", prefix).Optional("ContinuationToken", next_token);
    return XmlReply(std::move(xml).Finish());
}

}  // namespace espalier::api::s3
