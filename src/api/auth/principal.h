// Who made a request, as proved by its signature, and what the signature says about the body.
//
// Nouns: Principal; PayloadMode, how the body is vouched for; ChunkSignatures, the running check of the chunk
// signatures of an aws-chunked body (AWS "Signature calculations for the Authorization header: transferring payload in
// multiple chunks").
// Principal is a value; ChunkSignatures is thread-compatible.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace espalier::api {

/// What x-amz-content-sha256 announced.
enum class PayloadMode {
    kUnsigned,                  ///< UNSIGNED-PAYLOAD, presigned links, SigV2, anonymous: nothing vouches for the body
    kSignedHash,                ///< the body's SHA-256 must be Principal::payload_sha256_hex
    kStreamingUnsignedTrailer,  ///< aws-chunked, chunks without signatures, trailers
    kStreamingSigned,           ///< aws-chunked, each chunk signed, no trailers
    kStreamingSignedTrailer,    ///< aws-chunked, each chunk signed, trailers signed too
};

/// True when the body is wrapped in aws-chunked frames.
inline bool IsAwsChunked(PayloadMode mode) {
    return mode == PayloadMode::kStreamingUnsignedTrailer || mode == PayloadMode::kStreamingSigned ||
           mode == PayloadMode::kStreamingSignedTrailer;
}

/// What a chunk signature is computed from besides the chunk. No formatter on purpose: the key is a secret.
struct ChunkSigningContext {
    std::array<std::uint8_t, 32> signing_key{};  ///< HMAC chain over date, region, service
    std::string amz_date;                        ///< 20260101T000000Z
    std::string scope;                           ///< 20260101/us-east-1/s3/aws4_request
    std::string seed_signature;                  ///< hex, from the Authorization header
    bool verify = false;                         ///< false in open mode: every signature is accepted
};

struct Principal {
    std::string access_key_id;  ///< "" for an anonymous request (open mode only)
    std::string account_id;     ///< 12 digits
    std::string region;         ///< from the credential scope; the server's default when there is none (SigV2)
    std::string service;        ///< signing name from the scope: s3, sagemaker, sts, iam, logs, monitoring, …
    PayloadMode payload_mode = PayloadMode::kUnsigned;
    std::string payload_sha256_hex;     ///< kSignedHash only: 64 lower-case digits; "" in open mode: do not check
    ChunkSigningContext chunk_signing;  ///< kStreamingSigned and kStreamingSignedTrailer only

    /// Caller identity, "arn:aws:sts::123456789012:assumed-role/LocalSageMakerRole/local".
    std::string arn() const { return "arn:aws:sts::" + account_id + ":assumed-role/LocalSageMakerRole/local"; }
};

/// Checks the signatures of an aws-chunked body in the order the chunks arrive.
class ChunkSignatures {
  public:
    explicit ChunkSignatures(ChunkSigningContext context);

    /// True if `signature_hex` is right for the next chunk, whose data has this SHA-256. The last, empty chunk is
    /// checked the same way. After a false the object answers false for ever.
    bool CheckChunk(const std::array<std::uint8_t, 32>& chunk_sha256, std::string_view signature_hex);

    /// True if `signature_hex` (x-amz-trailer-signature) is right for the trailer lines given as they are signed:
    /// "name:value\n" each, names in lower case, without x-amz-trailer-signature itself.
    bool CheckTrailer(std::string_view canonical_trailers, std::string_view signature_hex);

  private:
    bool Check(const std::string& string_to_sign, std::string_view signature_hex);

    ChunkSigningContext context_;
    std::string previous_signature_;
    bool broken_ = false;
};

}  // namespace espalier::api
