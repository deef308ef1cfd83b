#include "api/auth/principal.h"
#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::api {

ChunkSignatures::ChunkSignatures(ChunkSigningContext context)
    : context_(std::move(context)), previous_signature_(context_.seed_signature) {}

bool ChunkSignatures::CheckChunk(const std::array<std::uint8_t, 32>& chunk_sha256, std::string_view signature_hex) {
    constexpr std::string_view kSha256OfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    std::string text =
        "AWS4-HMAC-SHA256-PAYLOAD\n" + context_.amz_date + "\n" + context_.scope + "\n" + previous_signature_ + "\n";
    text.append(kSha256OfNothing).append("\n").append(HexEncode(chunk_sha256));
    return Check(text, signature_hex);
}

bool ChunkSignatures::CheckTrailer(std::string_view canonical_trailers, std::string_view signature_hex) {
    return Check("AWS4-HMAC-SHA256-TRAILER\n" + context_.amz_date + "\n" + context_.scope + "\n" + previous_signature_ +
                     "\n" + HexEncode(Sha256::Of(canonical_trailers)),
                 signature_hex);
}

bool ChunkSignatures::Check(const std::string& string_to_sign, std::string_view signature_hex) {
    if (!context_.verify) return true;
    std::string expected = HexEncode(HmacSha256(AsChars(context_.signing_key), string_to_sign));
    broken_ = broken_ || !EqualsConstantTime(expected, signature_hex);
    previous_signature_ = std::move(expected);
    return !broken_;
}

}  // namespace espalier::api
