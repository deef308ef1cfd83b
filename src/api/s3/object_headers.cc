#include "api/s3/object_headers.h"

#include <algorithm>
#include <array>

#include "api/s3/header_text.h"
#include "api/s3/incoming_body.h"
#include "api/s3/s3_time.h"

namespace espalier::api::s3 {
namespace {

constexpr std::string_view kMetadataPrefix = "x-amz-meta-";
constexpr std::array kSystemHeaders = {"content-type",        "content-encoding", "cache-control",
                                       "content-disposition", "content-language", "expires"};
constexpr std::array kHeadersNotImplemented = {
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-lock-legal-hold",
    "x-amz-write-offset-bytes",
};

std::string_view Trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// A content-encoding list without "aws-chunked", which is the transfer's and not the object's.
std::string WithoutAwsChunked(std::string_view list) {
    std::string kept;
    while (!list.empty()) {
        const std::string_view item = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), item.size() + 1));
        const std::string_view name = Trim(item);
        if (name.empty() || Lower(name) == "aws-chunked") continue;
        if (!kept.empty()) kept += ",";
        kept += name;
    }
    return kept;
}

std::string_view BareEtag(std::string_view etag) {
    etag = Trim(etag);
    if (etag.starts_with("W/")) etag.remove_prefix(2);
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return etag;
}

bool EtagListHas(std::string_view list, std::string_view etag) {
    while (!list.empty()) {
        const std::string_view item = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), item.size() + 1));
        if (Trim(item) == "*" || BareEtag(item) == etag) return true;
    }
    return false;
}

}  // namespace

S3Result<store::ObjectAttributes> ParseAttributes(const S3Request& request) {
    store::ObjectAttributes attributes;
    for (const char* name : kSystemHeaders) {
        std::string value(request.header(name).value_or(""));
        if (std::string_view(name) == "content-encoding") value = WithoutAwsChunked(value);
        if (std::string_view(name) == "content-type" && value.empty()) value = "binary/octet-stream";
        if (!value.empty()) attributes.headers.emplace_back(name, std::move(value));
    }
    std::size_t metadata_bytes = 0;
    for (const auto& [name, value] : request.head().headers.fields()) {
        const std::string lower = Lower(name);
        if (!lower.starts_with(kMetadataPrefix)) continue;
        const std::string key = lower.substr(kMetadataPrefix.size());
        metadata_bytes += key.size() + value.size();
        const auto same = std::find_if(attributes.user_metadata.begin(), attributes.user_metadata.end(),
                                       [&](const auto& pair) { return pair.first == key; });
        if (same == attributes.user_metadata.end()) {
            attributes.user_metadata.emplace_back(key, value);
        } else {
            same->second.append(",").append(value);
        }
    }
    if (metadata_bytes > kMetadataBytesMax) {
        return S3Error(S3Code::kMetadataTooLarge)
            .With("Size", std::to_string(metadata_bytes))
            .With("MaxSizeAllowed", std::to_string(kMetadataBytesMax));
    }
    return attributes;
}

S3Result<Done> RefuseUnsupportedHeaders(const S3Request& request) {
    for (const char* name : kHeadersNotImplemented) {
        if (request.header(name)) return NotImplementedHeader(name);
    }
    for (const auto& [name, value] : request.head().headers.fields()) {
        if (Lower(name).starts_with("x-amz-grant-")) return S3Error(S3Code::kAccessControlListNotSupported);
    }
    // These two say what holds anyway: everything belongs to the one owner.
    const std::string_view acl = request.header("x-amz-acl").value_or("private");
    if (acl != "private" && acl != "bucket-owner-full-control") {
        return S3Error(S3Code::kAccessControlListNotSupported);
    }
    if (request.header("x-amz-storage-class").value_or("STANDARD") != "STANDARD") {
        return S3Error(S3Code::kInvalidStorageClass);
    }
    return Done{};
}

S3Result<store::WriteCondition> ParseWriteCondition(const S3Request& request) {
    store::WriteCondition condition;
    if (const auto none = request.header("if-none-match")) {
        if (Trim(*none) != "*") return NotImplementedHeader("If-None-Match");
        condition.if_absent = true;
    }
    if (const auto match = request.header("if-match")) condition.if_match = std::string(BareEtag(*match));
    if (condition.if_absent && condition.if_match) return NotImplementedHeader("If-Match");
    return condition;
}

S3Result<Done> CheckWriteConditionEarly(const S3Context& context, const S3Request& request,
                                        const store::WriteCondition& condition) {
    if (!condition.if_absent && !condition.if_match) return Done{};
    const Result<store::ObjectInfo> existing = context.store.Head(*request.bucket, *request.key);
    if (!existing) {
        if (store::FaultOf(existing.error()) == store::Fault::kNoSuchKey && condition.if_absent) return Done{};
        return existing.error();
    }
    if (condition.if_absent) return S3Error(S3Code::kPreconditionFailed).With("Condition", "If-None-Match");
    if (*condition.if_match != "*" && *condition.if_match != existing->etag) {
        return S3Error(S3Code::kPreconditionFailed).With("Condition", "If-Match");
    }
    return Done{};
}

S3Result<Done> CheckVersion(const S3Request& request) {
    const auto version = request.target.Parameter("versionId");
    if (version && *version != "null") return S3Error(S3Code::kNoSuchVersion).With("VersionId", std::string(*version));
    return Done{};
}

void AddObjectHeaders(const store::ObjectInfo& info, http::Headers& headers) {
    headers.Set("Last-Modified", FormatHttpDate(info.last_modified));
    headers.Set("ETag", Quoted(info.etag));
    headers.Set("Accept-Ranges", "bytes");
    for (const auto& [name, value] : info.attributes.headers) headers.Set(name, value);
    for (const auto& [name, value] : info.attributes.user_metadata) {
        headers.Set(std::string(kMetadataPrefix) + name, value);
    }
}

void AddChecksumHeaders(const store::Checksum& checksum, http::Headers& headers) {
    if (checksum.algorithm == store::ChecksumAlgorithm::kNone || checksum.value.empty()) return;
    headers.Set(ChecksumHeaderName(checksum.algorithm), checksum.value);
    headers.Set("x-amz-checksum-type", std::string(store::NameOf(checksum.type)));
}

S3Result<Done> CheckReadConditions(const S3Request& request, const store::ObjectInfo& info, bool is_copy_source) {
    const std::string prefix = is_copy_source ? "x-amz-copy-source-" : "";
    const auto header = [&](const char* name) { return request.header(prefix + name); };
    const auto date = [&](const char* name) -> std::optional<UnixMillis> {
        const auto text = header(name);
        return text ? ParseHttpDate(*text) : std::nullopt;
    };
    const auto failed = [](const char* name) { return S3Error(S3Code::kPreconditionFailed).With("Condition", name); };
    // Header dates have whole seconds.
    const UnixMillis modified = info.last_modified / 1000 * 1000;
    if (const auto match = header("if-match")) {
        if (!EtagListHas(*match, info.etag)) return failed("If-Match");
    } else if (const auto since = date("if-unmodified-since"); since && modified > *since) {
        return failed("If-Unmodified-Since");
    }
    if (const auto none = header("if-none-match")) {
        if (EtagListHas(*none, info.etag)) {
            return is_copy_source ? failed("If-None-Match") : S3Error(S3Code::kNotModified);
        }
    } else if (const auto since = date("if-modified-since"); since && modified <= *since) {
        return is_copy_source ? failed("If-Modified-Since") : S3Error(S3Code::kNotModified);
    }
    return Done{};
}

bool IfRangeHolds(const S3Request& request, const store::ObjectInfo& info) {
    const auto validator = request.header("if-range");
    if (!validator) return true;
    if (BareEtag(*validator) == info.etag) return true;
    return ParseHttpDate(*validator) == info.last_modified / 1000 * 1000;
}

S3Result<std::optional<ByteRange>> ParseRange(std::optional<std::string_view> header, std::uint64_t object_bytes) {
    const std::optional<ByteRange> none;
    if (!header || !header->starts_with("bytes=")) return none;
    const std::string_view text = Trim(header->substr(6));
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return none;
    const auto first = ParseDecimal(text.substr(0, dash));
    const auto last = ParseDecimal(text.substr(dash + 1));
    const bool has_first = dash > 0;
    const bool has_last = dash + 1 < text.size();
    // Several ranges, signs and words are malformed for S3, which then gives the whole object.
    if (has_first != first.has_value() || has_last != last.has_value() || (!has_first && !has_last)) return none;
    const auto outside = [&] {
        return S3Error(S3Code::kInvalidRange)
            .With("RangeRequested", std::string(*header))
            .With("ActualObjectSize", std::to_string(object_bytes));
    };
    if (!has_first) {
        if (*last == 0 || object_bytes == 0) return outside();
        const std::uint64_t size_bytes = std::min(*last, object_bytes);
        return std::optional(ByteRange{object_bytes - size_bytes, size_bytes});
    }
    if (has_last && *last < *first) return none;
    if (*first >= object_bytes) return outside();
    const std::uint64_t end = has_last ? std::min(*last, object_bytes - 1) : object_bytes - 1;
    return std::optional(ByteRange{*first, end - *first + 1});
}

}  // namespace espalier::api::s3
