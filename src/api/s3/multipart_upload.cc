// CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload, AbortMultipartUpload.
#include <charconv>

#include "api/s3/copy_source.h"
#include "api/s3/incoming_body.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/s3_time.h"
#include "api/s3/s3_xml.h"
#include "base/encoding.h"

namespace espalier::api::s3 {
namespace {

using store::ChecksumAlgorithm;
using store::ChecksumType;

constexpr std::size_t kCopyBufferBytes = 1 << 20;

std::string UploadIdOf(const S3Request& request) {
    return std::string(request.target.Parameter("uploadId").value_or(""));
}

S3Result<std::uint32_t> ParsePartNumber(const S3Request& request) {
    const std::string_view text = request.target.Parameter("partNumber").value_or("");
    std::uint32_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number == 0 ||
        number > store::kPartNumberMax) {
        return InvalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber",
                               std::string(text));
    }
    return number;
}

bool IsCrc(ChecksumAlgorithm algorithm) {
    return algorithm == ChecksumAlgorithm::kCrc32 || algorithm == ChecksumAlgorithm::kCrc32c ||
           algorithm == ChecksumAlgorithm::kCrc64nvme;
}

struct UploadChecksum {
    ChecksumAlgorithm algorithm = ChecksumAlgorithm::kNone;
    ChecksumType type = ChecksumType::kComposite;
};

/// x-amz-checksum-algorithm and x-amz-checksum-type. CRC64NVME is always of the full object, SHA never.
S3Result<UploadChecksum> ParseUploadChecksum(const S3Request& request) {
    UploadChecksum checksum;
    const auto name = request.header("x-amz-checksum-algorithm");
    const auto type = request.header("x-amz-checksum-type");
    if (name) {
        const auto algorithm = store::ParseChecksumAlgorithm(*name);
        if (!algorithm || *algorithm == ChecksumAlgorithm::kNone) return UnsupportedChecksumAlgorithm();
        checksum.algorithm = *algorithm;
        if (checksum.algorithm == ChecksumAlgorithm::kCrc64nvme) checksum.type = ChecksumType::kFullObject;
    }
    if (!type) return checksum;
    const auto wanted = store::ParseChecksumType(*type);
    if (!wanted) {
        return S3Error(S3Code::kInvalidRequest, "Value for x-amz-checksum-type header is invalid.");
    }
    if (!name) {
        return S3Error(S3Code::kInvalidRequest,
                       "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
    }
    const bool is_possible = *wanted == ChecksumType::kFullObject ? IsCrc(checksum.algorithm)
                                                                  : checksum.algorithm != ChecksumAlgorithm::kCrc64nvme;
    if (!is_possible) {
        return S3Error(S3Code::kInvalidRequest, std::string("The ") + std::string(*type) +
                                                    " checksum type cannot be used with the " + std::string(*name) +
                                                    " checksum algorithm.");
    }
    checksum.type = *wanted;
    return checksum;
}

void WriteChecksum(const store::Checksum& checksum, XmlWriter& xml) {
    if (checksum.algorithm == ChecksumAlgorithm::kNone || checksum.value.empty()) return;
    xml.Text(std::string("Checksum") + std::string(store::NameOf(checksum.algorithm)), checksum.value)
        .Text("ChecksumType", store::NameOf(checksum.type));
}

}  // namespace

S3Result<Reply> CreateMultipartUpload(const S3Context& context, const S3Request& request) {
    TRY(RefuseUnsupportedHeaders(request));
    const store::ObjectAttributes attributes = TRY(ParseAttributes(request));
    const UploadChecksum checksum = TRY(ParseUploadChecksum(request));
    const std::string id =
        TRY(context.store.CreateUpload(*request.bucket, *request.key, attributes, checksum.algorithm, checksum.type));
    XmlWriter xml("InitiateMultipartUploadResult");
    xml.Text("Bucket", request.bucket->str()).Text("Key", request.key->str()).Text("UploadId", id);
    Reply reply = XmlReply(std::move(xml).Finish());
    if (checksum.algorithm != ChecksumAlgorithm::kNone) {
        reply.response.headers.Set("x-amz-checksum-algorithm", std::string(store::NameOf(checksum.algorithm)));
        reply.response.headers.Set("x-amz-checksum-type", std::string(store::NameOf(checksum.type)));
    }
    return reply;
}

S3Result<Reply> UploadPart(const S3Context& context, const S3Request& request) {
    TRY(RefuseUnsupportedHeaders(request));
    const std::uint32_t number = TRY(ParsePartNumber(request));
    const std::string upload_id = UploadIdOf(request);
    const store::UploadInfo upload = TRY(context.store.HeadUpload(*request.bucket, *request.key, upload_id));
    IncomingBody body = TRY(IncomingBody::Parse(request, store::kSinglePutBytesMax));
    const ChecksumAlgorithm given = body.checksum_algorithm();
    if (given != ChecksumAlgorithm::kNone && upload.checksum_algorithm != ChecksumAlgorithm::kNone &&
        given != upload.checksum_algorithm) {
        return S3Error(S3Code::kInvalidRequest, "Checksum Type mismatch occurred, expected checksum Type: " +
                                                    std::string(store::NameOf(upload.checksum_algorithm)) +
                                                    ", actual checksum Type: " + std::string(store::NameOf(given)));
    }
    body.AlsoTake(upload.checksum_algorithm);
    std::unique_ptr<store::ObjectWriter> writer = TRY(context.store.BeginWrite(*request.bucket, body.digests()));
    TRY(body.ReadInto(*writer));
    const store::BodyDigests digests = TRY(writer->Finish());
    TRY(body.Check(digests));
    const std::string stored = Base64Encode(digests.Of(upload.checksum_algorithm));
    const store::PartInfo part =
        TRY(context.store.CommitPart(std::move(writer), *request.bucket, *request.key, upload_id, number, stored));
    Reply reply = EmptyReply(200);
    reply.response.headers.Set("ETag", Quoted(part.etag));
    const ChecksumAlgorithm shown = given != ChecksumAlgorithm::kNone ? given : upload.checksum_algorithm;
    if (shown != ChecksumAlgorithm::kNone) {
        reply.response.headers.Set(ChecksumHeaderName(shown), Base64Encode(digests.Of(shown)));
    }
    return reply;
}

S3Result<Reply> UploadPartCopy(const S3Context& context, const S3Request& request) {
    TRY(RefuseUnsupportedHeaders(request));
    const std::uint32_t number = TRY(ParsePartNumber(request));
    const std::string upload_id = UploadIdOf(request);
    const CopySource source = TRY(ParseCopySource(request));
    const store::UploadInfo upload = TRY(context.store.HeadUpload(*request.bucket, *request.key, upload_id));
    const std::unique_ptr<store::ObjectReader> reader = TRY(OpenCopySource(context, request, source));
    const std::uint64_t size_bytes = reader->info().size_bytes;
    ByteRange range{0, size_bytes};
    if (const auto header = request.header("x-amz-copy-source-range")) {
        const auto parsed = TRY(ParseRange(header, size_bytes));
        // Unlike a GET's, this range must be well-formed and lie inside.
        const std::size_t dash = header->rfind('-');
        const std::string last = dash == std::string_view::npos ? "" : std::string(header->substr(dash + 1));
        if (!parsed || last != std::to_string(parsed->offset + parsed->size_bytes - 1)) {
            return InvalidArgument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                "zero-based offsets of the first and last bytes to copy",
                "x-amz-copy-source-range", std::string(*header));
        }
        range = *parsed;
    }
    if (range.size_bytes > store::kSinglePutBytesMax) return S3Error(S3Code::kEntityTooLarge);
    TRY(reader->VerifyRange(range.offset, range.size_bytes));

    store::DigestSet wanted;
    wanted.Add(upload.checksum_algorithm);
    std::unique_ptr<store::ObjectWriter> writer = TRY(context.store.BeginWrite(*request.bucket, wanted));
    std::vector<char> buffer(kCopyBufferBytes);
    while (writer->size_bytes() < range.size_bytes) {
        const std::uint64_t left = range.size_bytes - writer->size_bytes();
        const std::size_t got =
            TRY(reader->ReadAt(std::span(buffer).first(std::min<std::uint64_t>(left, buffer.size())),
                               range.offset + writer->size_bytes()));
        if (got == 0) return S3Error(S3Code::kInternalError);
        TRY(writer->Append(std::string_view(buffer.data(), got)));
    }
    const store::BodyDigests digests = TRY(writer->Finish());
    const std::string stored = Base64Encode(digests.Of(upload.checksum_algorithm));
    const store::PartInfo part =
        TRY(context.store.CommitPart(std::move(writer), *request.bucket, *request.key, upload_id, number, stored));
    XmlWriter xml("CopyPartResult");
    xml.Text("LastModified", FormatIso8601(part.last_modified)).Text("ETag", Quoted(part.etag));
    if (!stored.empty()) {
        xml.Text(std::string("Checksum") + std::string(store::NameOf(upload.checksum_algorithm)), stored);
    }
    return XmlReply(std::move(xml).Finish());
}

S3Result<Reply> CompleteMultipartUpload(const S3Context& context, const S3Request& request) {
    const std::string upload_id = UploadIdOf(request);
    const store::UploadInfo upload = TRY(context.store.HeadAnyUpload(*request.bucket, *request.key, upload_id));
    const std::string text = TRY(IncomingBody::ReadBuffered(request, IncomingBody::ChecksumIs::kOfTheObject));
    store::ObjectStore::CompleteRequest complete;
    complete.parts = TRY(ParseCompleteMultipartUpload(text, upload.checksum_algorithm));
    complete.condition = TRY(ParseWriteCondition(request));
    if (upload.checksum_algorithm != ChecksumAlgorithm::kNone) {
        complete.checksum = request.header(ChecksumHeaderName(upload.checksum_algorithm)).value_or("");
    }
    if (const auto type = request.header("x-amz-checksum-type");
        type && store::ParseChecksumType(*type) != upload.checksum_type) {
        return S3Error(S3Code::kInvalidRequest,
                       "The upload was created using the " + std::string(store::NameOf(upload.checksum_type)) +
                           " checksum mode. The complete request must use the same checksum mode.");
    }
    if (const auto size = request.header("x-amz-mp-object-size")) {
        std::uint64_t value = 0;
        const auto parsed = std::from_chars(size->data(), size->data() + size->size(), value);
        if (parsed.ec != std::errc() || parsed.ptr != size->data() + size->size()) {
            return InvalidArgument("x-amz-mp-object-size must be a number", "x-amz-mp-object-size", std::string(*size));
        }
        complete.size_bytes = value;
    }
    const store::ObjectInfo info =
        TRY(context.store.CompleteUpload(*request.bucket, *request.key, upload_id, complete));
    const std::string host(request.header("host").value_or(""));
    XmlWriter xml("CompleteMultipartUploadResult");
    xml.Text("Location",
             "http://" + host + "/" + request.bucket->str() + "/" + PercentEncode(request.key->str(), Slash::kKeep))
        .Text("Bucket", request.bucket->str())
        .Text("Key", request.key->str())
        .Text("ETag", Quoted(info.etag));
    WriteChecksum(info.checksum, xml);
    return XmlReply(std::move(xml).Finish());
}

S3Result<Reply> AbortMultipartUpload(const S3Context& context, const S3Request& request) {
    TRY(context.store.AbortUpload(*request.bucket, *request.key, UploadIdOf(request)));
    return EmptyReply(204);
}

}  // namespace espalier::api::s3
