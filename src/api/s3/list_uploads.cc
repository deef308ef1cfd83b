// ListParts and ListMultipartUploads.
#include "api/s3/list_parameters.h"
#include "api/s3/operations.h"
#include "api/s3/s3_time.h"
#include "api/s3/s3_xml.h"

namespace espalier::api::s3 {
namespace {

constexpr std::uint32_t kPartsMax = 1000;

void WriteOwner(const Principal& principal, const char* element, XmlWriter& xml) {
    xml.Open(element).Text("ID", OwnerIdOf(principal)).Close(element);
}

}  // namespace

S3Result<Reply> ListParts(const S3Context& context, const S3Request& request) {
    const std::string upload_id(request.target.Parameter("uploadId").value_or(""));
    const std::uint32_t max_parts = TRY(ParseCount(request, "max-parts", kPartsMax, kPartsMax));
    const std::uint32_t marker = TRY(ParseCount(request, "part-number-marker", 0, store::kPartNumberMax));
    const store::UploadInfo upload = TRY(context.store.HeadUpload(*request.bucket, *request.key, upload_id));
    // One more than asked for tells whether there is another page.
    auto parts = TRY(context.store.ListParts(*request.bucket, *request.key, upload_id, marker, max_parts + 1));
    const bool is_truncated = parts.size() > max_parts;
    if (is_truncated) parts.pop_back();

    XmlWriter xml("ListPartsResult");
    xml.Text("Bucket", request.bucket->str()).Text("Key", request.key->str()).Text("UploadId", upload_id);
    WriteOwner(request.principal, "Initiator", xml);
    WriteOwner(request.principal, "Owner", xml);
    xml.Text("StorageClass", "STANDARD").Number("PartNumberMarker", marker);
    if (is_truncated && !parts.empty()) xml.Number("NextPartNumberMarker", parts.back().number);
    xml.Number("MaxParts", max_parts).Bool("IsTruncated", is_truncated && !parts.empty());
    const std::string algorithm(store::NameOf(upload.checksum_algorithm));
    if (!algorithm.empty()) {
        xml.Text("ChecksumAlgorithm", algorithm).Text("ChecksumType", store::NameOf(upload.checksum_type));
    }
    for (const store::PartInfo& part : parts) {
        xml.Open("Part")
            .Number("PartNumber", part.number)
            .Text("LastModified", FormatIso8601(part.last_modified))
            .Text("ETag", Quoted(part.etag))
            .Number("Size", part.size_bytes);
        if (!part.checksum.empty()) xml.Text("Checksum" + algorithm, part.checksum);
        xml.Close("Part");
    }
    return XmlReply(std::move(xml).Finish());
}

S3Result<Reply> ListMultipartUploads(const S3Context& context, const S3Request& request) {
    const bool url = TRY(WantsUrlEncoding(request));
    const auto parameter = [&](std::string_view name) {
        return std::string(request.target.Parameter(name).value_or(""));
    };
    store::ListUploadsRequest list;
    list.prefix = parameter("prefix");
    list.delimiter = parameter("delimiter");
    list.key_marker = parameter("key-marker");
    if (!list.key_marker.empty()) list.upload_id_marker = parameter("upload-id-marker");
    list.max_uploads = TRY(ParseCount(request, "max-uploads", store::kListKeysMax, store::kListKeysMax));
    const store::UploadListing listing = TRY(context.store.ListUploads(*request.bucket, list));

    XmlWriter xml("ListMultipartUploadsResult");
    xml.Text("Bucket", request.bucket->str())
        .Text("KeyMarker", ListText(list.key_marker, url))
        .Text("UploadIdMarker", list.upload_id_marker);
    if (listing.is_truncated) {
        xml.Text("NextKeyMarker", ListText(listing.next_key_marker, url))
            .Text("NextUploadIdMarker", listing.next_upload_id_marker);
    }
    xml.Optional("Prefix", ListText(list.prefix, url))
        .Optional("Delimiter", ListText(list.delimiter, url))
        .Optional("EncodingType", url ? "url" : "")
        .Number("MaxUploads", list.max_uploads)
        .Bool("IsTruncated", listing.is_truncated);
    for (const store::UploadInfo& upload : listing.uploads) {
        xml.Open("Upload").Text("Key", ListText(upload.key, url)).Text("UploadId", upload.id);
        WriteOwner(request.principal, "Initiator", xml);
        WriteOwner(request.principal, "Owner", xml);
        xml.Text("StorageClass", "STANDARD").Text("Initiated", FormatIso8601(upload.created_at));
        if (upload.checksum_algorithm != store::ChecksumAlgorithm::kNone) {
            xml.Text("ChecksumAlgorithm", store::NameOf(upload.checksum_algorithm))
                .Text("ChecksumType", store::NameOf(upload.checksum_type));
        }
        xml.Close("Upload");
    }
    for (const std::string& prefix : listing.common_prefixes) {
        xml.Open("CommonPrefixes").Text("Prefix", ListText(prefix, url)).Close("CommonPrefixes");
    }
    return XmlReply(std::move(xml).Finish());
}

}  // namespace espalier::api::s3
