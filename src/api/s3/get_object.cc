// GetObject, HeadObject, GetObjectTagging.
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/s3_xml.h"

namespace espalier::api::s3 {
namespace {

constexpr std::array kOverrides = {"content-type",        "content-encoding", "cache-control",
                                   "content-disposition", "content-language", "expires"};

S3Result<Done> ApplyOverrides(const S3Request& request, http::Headers& headers) {
    for (const char* name : kOverrides) {
        const auto value = request.target.Parameter(std::string("response-") + name);
        if (!value) continue;
        if (request.principal.access_key_id.empty()) {
            return S3Error(S3Code::kInvalidRequest,
                           "Request specific response headers cannot be used for anonymous GET requests.");
        }
        headers.Set(name, std::string(*value));
    }
    return Done{};
}

/// The part of the object that is asked for; nullopt = all of it.
S3Result<std::optional<ByteRange>> WantedRange(const S3Request& request, const store::ObjectReader& object,
                                               http::Headers& headers) {
    const store::ObjectInfo& info = object.info();
    const auto part = request.target.Parameter("partNumber");
    if (!part && !IfRangeHolds(request, info)) return std::optional<ByteRange>();
    if (!part) return ParseRange(request.header("range"), info.size_bytes);
    if (request.header("range")) {
        return S3Error(S3Code::kInvalidRequest, "Cannot specify both Range header and partNumber query parameter");
    }
    std::uint32_t number = 0;
    const auto parsed = std::from_chars(part->data(), part->data() + part->size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != part->data() + part->size() || number == 0 ||
        number > store::kPartNumberMax) {
        return InvalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber",
                               std::string(*part));
    }
    const auto range = object.PartRange(number);
    if (!range) {
        return S3Error(S3Code::kInvalidRange, "The requested partnumber is not satisfiable")
            .With("PartNumberRequested", std::to_string(number))
            .With("ActualPartCount", std::to_string(std::max(info.num_parts, 1U)));
    }
    if (info.num_parts > 0) headers.Set("x-amz-mp-parts-count", std::to_string(info.num_parts));
    // An empty part has no byte range to speak of.
    if (range->second == 0) return std::optional<ByteRange>();
    return std::optional(ByteRange{range->first, range->second});
}

}  // namespace

S3Result<Reply> GetObject(const S3Context& context, const S3Request& request) {
    TRY(CheckVersion(request));
    Reply reply;
    reply.object = TRY(context.store.OpenForReading(*request.bucket, *request.key));
    const store::ObjectInfo& info = reply.object->info();
    http::Headers& headers = reply.response.headers;
    AddObjectHeaders(info, headers);
    if (S3Result<Done> checked = CheckReadConditions(request, info, false); !checked) {
        if (checked.error().code() != S3Code::kNotModified) return std::move(checked).error();
        // 304 carries what a cache needs to go on with its copy.
        headers.Remove("Content-Type");
        reply.response.status = 304;
        reply.object.reset();
        return reply;
    }
    const std::optional<ByteRange> range = TRY(WantedRange(request, *reply.object, headers));
    TRY(ApplyOverrides(request, headers));
    reply.offset = range ? range->offset : 0;
    reply.size_bytes = range ? range->size_bytes : info.size_bytes;
    if (range) {
        reply.response.status = 206;
        headers.Set("Content-Range", fmt::format("bytes {}-{}/{}", range->offset, range->offset + range->size_bytes - 1,
                                                 info.size_bytes));
    } else if (request.header("x-amz-checksum-mode").value_or("") == "ENABLED") {
        // Never with a part of the object: clients would compare the whole's checksum with it (api.md 0.11).
        AddChecksumHeaders(info.checksum, headers);
    }
    if (request.head().method == "HEAD") {
        headers.Set("Content-Length", std::to_string(reply.size_bytes));
        reply.object.reset();
        return reply;
    }
    TRY(reply.object->VerifyRange(reply.offset, reply.size_bytes));
    return reply;
}

S3Result<Reply> GetObjectTagging(const S3Context& context, const S3Request& request) {
    TRY(CheckVersion(request));
    TRY(context.store.Head(*request.bucket, *request.key));
    // Tags cannot be set here, so no object has any.
    return XmlReply(std::move(XmlWriter("Tagging").Open("TagSet").Close("TagSet")).Finish());
}

}  // namespace espalier::api::s3
