// The body of an upload: what the headers promise about it, reading it into the store, and holding it to the promises.
//
// Promises: its size (Content-Length or x-amz-decoded-content-length), its SHA-256 (x-amz-content-sha256), its MD5
// (Content-MD5), one checksum (x-amz-checksum-* as a header, or as a trailer announced by x-amz-trailer), chunk
// signatures. Memory: one buffer of kBodyBufferBytes however large the body. Confined to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/s3/s3_operation.h"
#include "store/object_writer.h"

namespace espalier::api::s3 {

inline constexpr std::size_t kBodyBufferBytes = 256 << 10;

class IncomingBody {
  public:
    /// What an x-amz-checksum-* header speaks of: CompleteMultipartUpload's is that of the object to be.
    enum class ChecksumIs { kOfTheBody, kOfTheObject };

    /// Reads headers only, so that a refusal costs the client no upload. EntityTooLarge, MissingContentLength,
    /// InvalidDigest, InvalidRequest.
    static S3Result<IncomingBody> Parse(const S3Request& request, std::uint64_t size_bytes_max) {
        return Parse(request, size_bytes_max, ChecksumIs::kOfTheBody);
    }

    /// What Check needs from the writer.
    store::DigestSet digests() const { return digests_; }
    /// Also compute this one (a multipart upload has an algorithm whether or not the part brings a value).
    void AlsoTake(store::ChecksumAlgorithm algorithm) { digests_.Add(algorithm); }
    /// kNone when the client sends no checksum.
    store::ChecksumAlgorithm checksum_algorithm() const { return algorithm_; }

    /// Pulls a streamed body through `writer`. IncompleteBody, EntityTooLarge, SignatureDoesNotMatch.
    S3Result<Done> ReadInto(store::ObjectWriter& writer);
    /// Compares the digests with every promise. XAmzContentSHA256Mismatch, BadDigest, IncompleteBody.
    S3Result<Done> Check(const store::BodyDigests& digests) const;

    /// For an operation whose body was read whole by the server: the body without its aws-chunked framing, checked
    /// against every promise but the SHA-256, which the front door has compared.
    static S3Result<std::string> ReadBuffered(const S3Request& request, ChecksumIs meaning = ChecksumIs::kOfTheBody);

  private:
    static S3Result<IncomingBody> Parse(const S3Request& request, std::uint64_t size_bytes_max, ChecksumIs meaning);
    explicit IncomingBody(const S3Request& request) : request_(&request) {}
    S3Result<Done> ParseChecksum();
    S3Result<Done> ParseSize(std::uint64_t size_bytes_max);
    S3Result<Done> TakeTrailers(const std::vector<std::pair<std::string, std::string>>& trailers);

    const S3Request* request_;
    store::DigestSet digests_;
    std::optional<std::uint64_t> size_bytes_;
    std::uint64_t size_bytes_max_ = 0;
    std::string md5_;  ///< raw, "" = not promised
    store::ChecksumAlgorithm algorithm_ = store::ChecksumAlgorithm::kNone;
    bool checksum_is_trailing_ = false;
    std::string checksum_;  ///< base64
};

/// "x-amz-checksum-crc32".
std::string ChecksumHeaderName(store::ChecksumAlgorithm algorithm);
/// The algorithm of a lower-case x-amz-checksum-* header name; nullopt for another or an unknown one.
std::optional<store::ChecksumAlgorithm> AlgorithmOfHeader(std::string_view lower_case_name);
/// InvalidRequest naming the algorithms that are known.
S3Error UnsupportedChecksumAlgorithm();

}  // namespace espalier::api::s3
