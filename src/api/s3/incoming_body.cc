#include "api/s3/incoming_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "api/s3/aws_chunked.h"
#include "api/s3/header_text.h"
#include "base/encoding.h"
#include "store/object_writer_state.h"

namespace espalier::api::s3 {
namespace {

using store::ChecksumAlgorithm;

constexpr std::string_view kChecksumPrefix = "x-amz-checksum-";

struct AlgorithmRow {
    ChecksumAlgorithm algorithm;
    std::string_view suffix;
    std::size_t size_bytes;
};
constexpr AlgorithmRow kAlgorithms[] = {
    {ChecksumAlgorithm::kCrc32, "crc32", 4},         {ChecksumAlgorithm::kCrc32c, "crc32c", 4},
    {ChecksumAlgorithm::kCrc64nvme, "crc64nvme", 8}, {ChecksumAlgorithm::kSha1, "sha1", 20},
    {ChecksumAlgorithm::kSha256, "sha256", 32},
};

bool IsChecksumValue(ChecksumAlgorithm algorithm, std::string_view base64) {
    const auto raw = Base64Decode(base64);
    return raw && std::any_of(std::begin(kAlgorithms), std::end(kAlgorithms), [&](const AlgorithmRow& row) {
               return row.algorithm == algorithm && row.size_bytes == raw->size();
           });
}

S3Error InvalidChecksumValue(std::string_view header) {
    return S3Error(S3Code::kInvalidRequest, fmt::format("Value for {} header is invalid.", header));
}

/// The checksum named by x-amz-trailer, if any: "x-amz-checksum-crc32".
S3Result<ChecksumAlgorithm> TrailingAlgorithm(const S3Request& request) {
    const auto announced = request.header("x-amz-trailer");
    if (!announced) return ChecksumAlgorithm::kNone;
    const auto algorithm = AlgorithmOfHeader(Lower(*announced));
    if (!algorithm) {
        return S3Error(S3Code::kInvalidRequest, "The value specified in the x-amz-trailer header is not supported");
    }
    return *algorithm;
}

}  // namespace

std::string ChecksumHeaderName(ChecksumAlgorithm algorithm) {
    for (const AlgorithmRow& row : kAlgorithms) {
        if (row.algorithm == algorithm) return std::string(kChecksumPrefix) + std::string(row.suffix);
    }
    return "";
}

std::optional<ChecksumAlgorithm> AlgorithmOfHeader(std::string_view lower_case_name) {
    if (!lower_case_name.starts_with(kChecksumPrefix)) return std::nullopt;
    for (const AlgorithmRow& row : kAlgorithms) {
        if (lower_case_name.substr(kChecksumPrefix.size()) == row.suffix) return row.algorithm;
    }
    return std::nullopt;
}

S3Error UnsupportedChecksumAlgorithm() {
    return S3Error(S3Code::kInvalidRequest,
                   "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, "
                   "CRC32C, CRC64NVME, SHA1, SHA256]");
}

S3Result<Done> IncomingBody::ParseChecksum() {
    for (const auto& [name, value] : request_->head().headers.fields()) {
        const std::string lower = Lower(name);
        if (!lower.starts_with(kChecksumPrefix) || lower == "x-amz-checksum-mode" ||
            lower == "x-amz-checksum-algorithm" || lower == "x-amz-checksum-type") {
            continue;
        }
        const auto algorithm = AlgorithmOfHeader(lower);
        if (!algorithm) return UnsupportedChecksumAlgorithm();
        if (algorithm_ != ChecksumAlgorithm::kNone) {
            return S3Error(S3Code::kInvalidRequest,
                           "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
        }
        if (!IsChecksumValue(*algorithm, value)) return InvalidChecksumValue(lower);
        algorithm_ = *algorithm;
        checksum_ = value;
    }
    const ChecksumAlgorithm trailing = TRY(TrailingAlgorithm(*request_));
    if (trailing != ChecksumAlgorithm::kNone) {
        const PayloadMode mode = request_->principal.payload_mode;
        if (algorithm_ != ChecksumAlgorithm::kNone || !IsAwsChunked(mode) || mode == PayloadMode::kStreamingSigned) {
            return S3Error(S3Code::kInvalidRequest,
                           "x-amz-trailer needs an aws-chunked body with trailers and no checksum header beside it");
        }
        algorithm_ = trailing;
        checksum_is_trailing_ = true;
    }
    if (const auto named = request_->header("x-amz-sdk-checksum-algorithm")) {
        const auto algorithm = store::ParseChecksumAlgorithm(*named);
        if (!algorithm || *algorithm == ChecksumAlgorithm::kNone) return UnsupportedChecksumAlgorithm();
        if (*algorithm != algorithm_) {
            return S3Error(S3Code::kInvalidRequest,
                           "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                           "x-amz-trailer headers were found.");
        }
    }
    digests_.Add(algorithm_);
    return Done{};
}

S3Result<Done> IncomingBody::ParseSize(std::uint64_t size_bytes_max) {
    size_bytes_max_ = size_bytes_max;
    size_bytes_ = request_->head().content_length;
    if (IsAwsChunked(request_->principal.payload_mode)) {
        const auto decoded = request_->header("x-amz-decoded-content-length");
        if (!decoded) return S3Error(S3Code::kMissingContentLength);
        size_bytes_ = ParseDecimal(*decoded);
        if (!size_bytes_) {
            return InvalidArgument("x-amz-decoded-content-length must be a number", "x-amz-decoded-content-length",
                                   std::string(*decoded));
        }
    }
    // Without a body at all there is neither: a PUT of nothing still says so.
    if (!size_bytes_ && !request_->head().chunked) return S3Error(S3Code::kMissingContentLength);
    if (size_bytes_.value_or(0) > size_bytes_max) {
        return S3Error(S3Code::kEntityTooLarge)
            .With("ProposedSize", std::to_string(*size_bytes_))
            .With("MaxSizeAllowed", std::to_string(size_bytes_max));
    }
    return Done{};
}

S3Result<IncomingBody> IncomingBody::Parse(const S3Request& request, std::uint64_t size_bytes_max, ChecksumIs meaning) {
    IncomingBody body(request);
    TRY(body.ParseSize(size_bytes_max));
    if (const auto md5 = request.header("content-md5")) {
        const auto raw = Base64Decode(*md5);
        if (!raw || raw->size() != 16) return S3Error(S3Code::kInvalidDigest);
        body.md5_ = *raw;
    }
    if (meaning == ChecksumIs::kOfTheBody) TRY(body.ParseChecksum());
    const Principal& principal = request.principal;
    if (principal.payload_mode == PayloadMode::kSignedHash && !principal.payload_sha256_hex.empty()) {
        body.digests_.sha256 = true;
    }
    return body;
}

S3Result<Done> IncomingBody::TakeTrailers(const std::vector<std::pair<std::string, std::string>>& trailers) {
    const std::string wanted = checksum_is_trailing_ ? ChecksumHeaderName(algorithm_) : "";
    for (const auto& [name, value] : trailers) {
        if (name != wanted || !checksum_.empty()) return S3Error(S3Code::kMalformedTrailer);
        if (!IsChecksumValue(algorithm_, value)) return InvalidChecksumValue(name);
        checksum_ = value;
    }
    if (checksum_is_trailing_ && checksum_.empty()) return S3Error(S3Code::kMalformedTrailer);
    return Done{};
}

S3Result<Done> IncomingBody::ReadInto(store::ObjectWriter& writer) {
    const Principal& principal = request_->principal;
    const AwsChunkedDecoder::Sink sink = [&](std::string_view data) -> S3Result<Done> {
        if (writer.size_bytes() + data.size() > size_bytes_.value_or(size_bytes_max_)) {
            return S3Error(size_bytes_ ? S3Code::kIncompleteBody : S3Code::kEntityTooLarge);
        }
        TRY(writer.Append(data));
        return Done{};
    };
    std::optional<AwsChunkedDecoder> decoder;
    if (IsAwsChunked(principal.payload_mode)) decoder.emplace(principal.payload_mode, principal.chunk_signing);
    std::vector<char> buffer(kBodyBufferBytes);
    while (true) {
        const Result<std::size_t> got = request_->exchange.ReadBody(buffer);
        // The client is gone or stalls: it is unlikely to read this.
        if (!got) return S3Error(S3Code::kRequestTimeout);
        if (*got == 0) break;
        const std::string_view bytes(buffer.data(), *got);
        if (decoder) {
            TRY(decoder->Feed(bytes, sink));
        } else {
            TRY(sink(bytes));
        }
    }
    if (decoder) {
        TRY(decoder->Finish());
        TRY(TakeTrailers(decoder->trailers()));
    }
    return Done{};
}

S3Result<Done> IncomingBody::Check(const store::BodyDigests& digests) const {
    if (size_bytes_.value_or(digests.size_bytes) != digests.size_bytes) return S3Error(S3Code::kIncompleteBody);
    const Principal& principal = request_->principal;
    if (!digests.sha256.empty() && principal.payload_mode == PayloadMode::kSignedHash &&
        !principal.payload_sha256_hex.empty() && HexEncode(digests.sha256) != principal.payload_sha256_hex) {
        return S3Error(S3Code::kXAmzContentSha256Mismatch)
            .With("ClientComputedContentSHA256", principal.payload_sha256_hex)
            .With("S3ComputedContentSHA256", HexEncode(digests.sha256));
    }
    if (!md5_.empty() && md5_ != AsChars(digests.md5)) return S3Error(S3Code::kBadDigest);
    if (algorithm_ != ChecksumAlgorithm::kNone && checksum_ != Base64Encode(digests.Of(algorithm_))) {
        return S3Error(S3Code::kBadDigest, fmt::format("The {} you specified did not match the calculated checksum.",
                                                       store::NameOf(algorithm_)));
    }
    return Done{};
}

S3Result<std::string> IncomingBody::ReadBuffered(const S3Request& request, ChecksumIs meaning) {
    const std::string_view raw = request.exchange.body();
    if (raw.empty()) return std::string();
    IncomingBody body = TRY(Parse(request, raw.size(), meaning));
    std::string text;
    if (IsAwsChunked(request.principal.payload_mode)) {
        AwsChunkedDecoder decoder(request.principal.payload_mode, request.principal.chunk_signing);
        TRY(decoder.Feed(raw, [&](std::string_view data) -> S3Result<Done> {
            text += data;
            return Done{};
        }));
        TRY(decoder.Finish());
        TRY(body.TakeTrailers(decoder.trailers()));
    } else {
        text = raw;
    }
    store::DigestTaker taker(body.digests());
    taker.Update(text);
    TRY(body.Check(taker.Finish()));
    return text;
}

}  // namespace espalier::api::s3
