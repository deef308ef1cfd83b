#include "api/s3/copy_source.h"
#include "api/s3/incoming_body.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/s3_time.h"
#include "api/s3/s3_xml.h"
#include "base/encoding.h"

namespace espalier::api::s3 {
namespace {

constexpr std::string_view kSourceHeader = "x-amz-copy-source";

/// COPY or REPLACE; true for REPLACE.
S3Result<bool> ParseDirective(const S3Request& request, const char* name) {
    const std::string_view directive = request.header(name).value_or("COPY");
    if (directive != "COPY" && directive != "REPLACE") {
        return InvalidArgument("Unknown metadata directive.", name, std::string(directive));
    }
    return directive == "REPLACE";
}

}  // namespace

S3Result<CopySource> ParseCopySource(const S3Request& request) {
    std::string_view raw = request.header(kSourceHeader).value_or("");
    const auto invalid = [&](std::string message) {
        return InvalidArgument(std::move(message), std::string(kSourceHeader),
                               std::string(request.header(kSourceHeader).value_or("")));
    };
    if (const std::size_t question = raw.find("?versionId="); question != std::string_view::npos) {
        if (raw.substr(question + 11) != "null") return S3Error(S3Code::kNoSuchVersion);
        raw = raw.substr(0, question);
    }
    if (raw.starts_with('/')) raw.remove_prefix(1);
    // Clients that encode the whole header send the slash as %2F.
    const auto decoded = PercentDecode(raw);
    const std::size_t slash = decoded ? decoded->find('/') : std::string::npos;
    if (slash == std::string::npos || slash + 1 == decoded->size()) {
        return invalid("Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    }
    Result<store::BucketName> bucket = store::BucketName::Parse(decoded->substr(0, slash));
    if (!bucket) return invalid("Invalid copy source bucket name");
    Result<store::ObjectKey> key = store::ObjectKey::Parse(decoded->substr(slash + 1));
    if (!key) return invalid("Invalid copy source object key");
    return CopySource{*std::move(bucket), *std::move(key)};
}

S3Result<std::unique_ptr<store::ObjectReader>> OpenCopySource(const S3Context& context, const S3Request& request,
                                                              const CopySource& source) {
    const auto owner = request.header("x-amz-source-expected-bucket-owner");
    if (owner && *owner != request.principal.account_id) return S3Error(S3Code::kAccessDenied);
    Result<std::unique_ptr<store::ObjectReader>> reader = context.store.OpenForReading(source.bucket, source.key);
    if (!reader) {
        // The error is about the source, not about what the request addresses.
        S3Error error(reader.error());
        if (error.code() == S3Code::kNoSuchBucket) return std::move(error).With("BucketName", source.bucket.str());
        if (error.code() == S3Code::kNoSuchKey) return std::move(error).With("Key", source.key.str());
        return error;
    }
    TRY(CheckReadConditions(request, (*reader)->info(), true));
    return *std::move(reader);
}

S3Result<Reply> CopyObject(const S3Context& context, const S3Request& request) {
    TRY(RefuseUnsupportedHeaders(request));
    const CopySource source = TRY(ParseCopySource(request));
    const bool replaces_attributes = TRY(ParseDirective(request, "x-amz-metadata-directive"));
    if (TRY(ParseDirective(request, "x-amz-tagging-directive"))) {
        return NotImplementedHeader("x-amz-tagging-directive");
    }
    store::ObjectStore::CopyRequest copy;
    copy.condition = TRY(ParseWriteCondition(request));
    if (replaces_attributes) copy.attributes = TRY(ParseAttributes(request));
    if (const auto name = request.header("x-amz-checksum-algorithm")) {
        const auto algorithm = store::ParseChecksumAlgorithm(*name);
        if (!algorithm || *algorithm == store::ChecksumAlgorithm::kNone) return UnsupportedChecksumAlgorithm();
        copy.checksum_algorithm = *algorithm;
    }
    if (source.bucket == *request.bucket && source.key == *request.key && !replaces_attributes) {
        return S3Error(S3Code::kInvalidRequest,
                       "This copy request is illegal because it is trying to copy an object to itself without "
                       "changing the object's metadata, storage class, website redirect location or encryption "
                       "attributes.");
    }
    const std::unique_ptr<store::ObjectReader> reader = TRY(OpenCopySource(context, request, source));
    if (reader->info().size_bytes > store::kSinglePutBytesMax) {
        return S3Error(S3Code::kInvalidRequest,
                       "The specified copy source is larger than the maximum allowable size for a copy source: " +
                           std::to_string(store::kSinglePutBytesMax));
    }
    const store::ObjectInfo info = TRY(context.store.Copy(*reader, *request.bucket, *request.key, copy));

    XmlWriter xml("CopyObjectResult");
    xml.Text("LastModified", FormatIso8601(info.last_modified)).Text("ETag", Quoted(info.etag));
    if (info.checksum.algorithm != store::ChecksumAlgorithm::kNone) {
        xml.Text("ChecksumType", store::NameOf(info.checksum.type))
            .Text(std::string("Checksum") + std::string(store::NameOf(info.checksum.algorithm)), info.checksum.value);
    }
    return XmlReply(std::move(xml).Finish());
}

}  // namespace espalier::api::s3
