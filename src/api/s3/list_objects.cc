// ListObjects (v1) and ListObjectsV2.
#include "api/s3/list_parameters.h"
#include "api/s3/operations.h"
#include "api/s3/s3_time.h"
#include "api/s3/s3_xml.h"

namespace espalier::api::s3 {
namespace {

struct ListWishes {
    bool is_v2 = false;
    bool url = false;
    bool with_owner = false;
    std::string token;
    std::string start_after;  ///< marker in v1
    store::ListRequest list;
};

S3Result<ListWishes> ParseWishes(const S3Request& request) {
    ListWishes wishes;
    const auto parameter = [&](std::string_view name) {
        return std::string(request.target.Parameter(name).value_or(""));
    };
    const std::string type = parameter("list-type");
    if (!type.empty() && type != "2" && type != "1") {
        return InvalidArgument("Invalid List Type specified in Request", "list-type", type);
    }
    wishes.is_v2 = type == "2";
    wishes.url = TRY(WantsUrlEncoding(request));
    wishes.list.prefix = parameter("prefix");
    wishes.list.delimiter = parameter("delimiter");
    wishes.list.max_keys = TRY(ParseCount(request, "max-keys", store::kListKeysMax, store::kListKeysMax));
    wishes.with_owner = !wishes.is_v2 || parameter("fetch-owner") == "true";
    wishes.start_after = parameter(wishes.is_v2 ? "start-after" : "marker");
    wishes.list.start_after = wishes.start_after;
    if (wishes.is_v2) {
        wishes.token = parameter("continuation-token");
        if (!wishes.token.empty()) {
            wishes.list.start_after = TRY(DecodeToken(wishes.token));
        } else if (request.target.Parameter("continuation-token")) {
            return InvalidArgument("The continuation token provided is incorrect", "continuation-token", "");
        }
    }
    return wishes;
}

void WriteObject(const store::ObjectInfo& object, const ListWishes& wishes, const Principal& principal,
                 XmlWriter& xml) {
    xml.Open("Contents")
        .Text("Key", ListText(object.key, wishes.url))
        .Text("LastModified", FormatIso8601(object.last_modified))
        .Text("ETag", Quoted(object.etag));
    if (object.checksum.algorithm != store::ChecksumAlgorithm::kNone) {
        xml.Text("ChecksumAlgorithm", store::NameOf(object.checksum.algorithm))
            .Text("ChecksumType", store::NameOf(object.checksum.type));
    }
    xml.Number("Size", object.size_bytes);
    if (wishes.with_owner) xml.Open("Owner").Text("ID", OwnerIdOf(principal)).Close("Owner");
    xml.Text("StorageClass", "STANDARD").Close("Contents");
}

}  // namespace

S3Result<Reply> ListObjects(const S3Context& context, const S3Request& request) {
    const ListWishes wishes = TRY(ParseWishes(request));
    const store::Listing listing = TRY(context.store.List(*request.bucket, wishes.list));
    const auto text = [&](std::string_view value) { return ListText(value, wishes.url); };

    XmlWriter xml("ListBucketResult");
    xml.Text("Name", request.bucket->str()).Text("Prefix", text(wishes.list.prefix));
    if (wishes.is_v2) {
        xml.Optional("StartAfter", text(wishes.start_after)).Optional("ContinuationToken", wishes.token);
        if (listing.is_truncated) xml.Text("NextContinuationToken", EncodeToken(listing.last));
        xml.Number("KeyCount", listing.objects.size() + listing.common_prefixes.size());
    } else {
        xml.Text("Marker", text(wishes.start_after));
        // Without a delimiter clients go on from the last key, as with AWS.
        if (listing.is_truncated && !wishes.list.delimiter.empty()) xml.Text("NextMarker", text(listing.last));
    }
    xml.Number("MaxKeys", wishes.list.max_keys)
        .Optional("Delimiter", text(wishes.list.delimiter))
        .Optional("EncodingType", wishes.url ? "url" : "")
        .Bool("IsTruncated", listing.is_truncated);
    for (const store::ObjectInfo& object : listing.objects) WriteObject(object, wishes, request.principal, xml);
    for (const std::string& prefix : listing.common_prefixes) {
        xml.Open("CommonPrefixes").Text("Prefix", text(prefix)).Close("CommonPrefixes");
    }
    return XmlReply(std::move(xml).Finish());
}

}  // namespace espalier::api::s3
