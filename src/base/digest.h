// Cryptographic digests, streaming, over OpenSSL 3 EVP: Sha256, Sha1, Md5; HMAC over the first two.
//
//   Sha256 sha; sha.Update(part1); sha.Update(part2); std::array<std::uint8_t, 32> value = sha.Finish();
//   HexEncode(Sha256::Of(body))
//
// MD5 and SHA-1 are here because S3 speaks them (ETags, checksums, SigV2), not for security of our own.
// One object is thread-compatible; different objects are independent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

struct evp_md_ctx_st;

namespace espalier {

enum class DigestKind { kMd5, kSha1, kSha256 };

template <DigestKind kKind, std::size_t kSizeBytes>
class Digest {
  public:
    using Value = std::array<std::uint8_t, kSizeBytes>;

    Digest();
    void Update(std::string_view bytes);
    /// The digest of everything given to Update. Afterwards the object is as new and can be used again.
    Value Finish();

    /// The digest of one byte string.
    static Value Of(std::string_view bytes) {
        Digest digest;
        digest.Update(bytes);
        return digest.Finish();
    }

  private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    void Begin();

    std::unique_ptr<evp_md_ctx_st, Free> context_;
    bool begun_ = false;  // only what is hashed is initialised: that costs as much as hashing a block
};

using Md5 = Digest<DigestKind::kMd5, 16>;
using Sha1 = Digest<DigestKind::kSha1, 20>;
using Sha256 = Digest<DigestKind::kSha256, 32>;

extern template class Digest<DigestKind::kMd5, 16>;
extern template class Digest<DigestKind::kSha1, 20>;
extern template class Digest<DigestKind::kSha256, 32>;

/// RFC 2104; keys of any length.
Sha256::Value HmacSha256(std::string_view key, std::string_view message);
Sha1::Value HmacSha1(std::string_view key, std::string_view message);

/// Compares without telling by its duration where the difference is. The lengths are not secret.
bool EqualsConstantTime(std::string_view a, std::string_view b);

}  // namespace espalier
