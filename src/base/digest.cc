#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <utility>

#include "base/check.h"
#include "base/encoding.h"

namespace espalier {
namespace {

/// Fetched once: EVP_sha256() would look the algorithm up again at each initialisation in OpenSSL 3.
const EVP_MD* Algorithm(DigestKind kind) {
    static const EVP_MD* const kMd5Algorithm = EVP_MD_fetch(nullptr, "MD5", nullptr);
    static const EVP_MD* const kSha1Algorithm = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    static const EVP_MD* const kSha256Algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    switch (kind) {
        case DigestKind::kMd5:
            return kMd5Algorithm;
        case DigestKind::kSha1:
            return kSha1Algorithm;
        case DigestKind::kSha256:
            return kSha256Algorithm;
    }
    return nullptr;
}

/// Contexts of one kind that the thread has used before: making one costs as much as hashing half a kilobyte.
class Spares {
  public:
    ~Spares() {
        while (num_kept_ > 0) EVP_MD_CTX_free(kept_[--num_kept_]);
    }

    EVP_MD_CTX* Take() { return num_kept_ > 0 ? kept_[--num_kept_] : EVP_MD_CTX_new(); }

    void Keep(EVP_MD_CTX* context) {
        if (num_kept_ == kKeptMax) return EVP_MD_CTX_free(context);
        kept_[num_kept_++] = context;
    }

  private:
    static constexpr std::size_t kKeptMax = 4;
    std::array<EVP_MD_CTX*, kKeptMax> kept_{};
    std::size_t num_kept_ = 0;
};

Spares& SpareContexts(DigestKind kind) {
    constexpr std::size_t kKinds = 3;
    thread_local std::array<Spares, kKinds> spares;
    return spares[static_cast<std::size_t>(kind)];
}

/// RFC 2104 with the 64-byte block that SHA-1 and SHA-256 share.
template <typename Hash>
typename Hash::Value Hmac(std::string_view key, std::string_view message) {
    constexpr std::size_t kBlockBytes = 64;
    std::array<char, kBlockBytes> block{};
    typename Hash::Value hashed_key;
    if (key.size() > kBlockBytes) {
        hashed_key = Hash::Of(key);
        key = AsChars(hashed_key);
    }
    key.copy(block.data(), key.size());
    for (char& c : block) c = static_cast<char>(c ^ 0x36);
    Hash hash;
    hash.Update({block.data(), block.size()});
    hash.Update(message);
    typename Hash::Value inner = hash.Finish();
    for (char& c : block) c = static_cast<char>(c ^ 0x36 ^ 0x5c);
    hash.Update({block.data(), block.size()});
    hash.Update(AsChars(inner));
    OPENSSL_cleanse(block.data(), block.size());
    return hash.Finish();
}

}  // namespace

template <DigestKind kKind, std::size_t kSizeBytes>
Digest<kKind, kSizeBytes>::Digest() : context_(SpareContexts(kKind).Take()) {
    CHECK(context_ != nullptr);
}

template <DigestKind kKind, std::size_t kSizeBytes>
void Digest<kKind, kSizeBytes>::Begin() {
    if (!std::exchange(begun_, true)) CHECK(EVP_DigestInit_ex2(context_.get(), Algorithm(kKind), nullptr) == 1);
}

template <DigestKind kKind, std::size_t kSizeBytes>
void Digest<kKind, kSizeBytes>::Update(std::string_view bytes) {
    Begin();
    CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

template <DigestKind kKind, std::size_t kSizeBytes>
typename Digest<kKind, kSizeBytes>::Value Digest<kKind, kSizeBytes>::Finish() {
    Begin();
    Value value;
    unsigned size = 0;
    CHECK(EVP_DigestFinal_ex(context_.get(), value.data(), &size) == 1 && size == kSizeBytes, "size {}", size);
    begun_ = false;
    return value;
}

template <DigestKind kKind, std::size_t kSizeBytes>
void Digest<kKind, kSizeBytes>::Free::operator()(evp_md_ctx_st* context) const {
    SpareContexts(kKind).Keep(context);
}

template class Digest<DigestKind::kMd5, 16>;
template class Digest<DigestKind::kSha1, 20>;
template class Digest<DigestKind::kSha256, 32>;

Sha256::Value HmacSha256(std::string_view key, std::string_view message) {
    return Hmac<Sha256>(key, message);
}
Sha1::Value HmacSha1(std::string_view key, std::string_view message) {
    return Hmac<Sha1>(key, message);
}

bool EqualsConstantTime(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace espalier
