// Reads who signed a request and verifies it.
//
// Steps: find the signature (query V4, query V2, header V4, header V2, none) -> parse it -> look the key up -> check
// the clock -> rebuild the string to sign from the SignedHeaders list -> compare in constant time -> Principal. Open
// mode reads key, region, service and payload mode from the same places and verifies nothing. Limits: clock skew
// kClockSkewMaxMillis; a presigned V4 link lives at most kPresignedSecondsMax. Source: contracts/api.md 1.6.
// Thread-safe.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/auth/auth_failure.h"
#include "api/auth/keyring.h"
#include "api/auth/principal.h"
#include "api/auth/sigv2.h"
#include "api/auth/sigv4.h"
#include "base/clock.h"
#include "base/digest.h"
#include "http/exchange.h"

namespace espalier::api {

inline constexpr UnixMillis kClockSkewMaxMillis = 15 * 60 * 1000;
inline constexpr std::int64_t kPresignedSecondsMax = 7 * 24 * 3600;

using AuthResult = std::variant<Principal, AuthFailure>;

/// A body that has been read to its end. Borrowed.
struct WholeBody {
    std::string_view bytes;
    const Sha256::Value* sha256 = nullptr;  ///< of `bytes`, if somebody has it already
};

class Authenticator {
  public:
    struct Options {
        bool open = false;
        std::string default_account = "123456789012";  ///< of access keys that are not 12 digits themselves
        std::string default_region = "us-east-1";      ///< of requests without a credential scope
    };

    /// `keyring` and `clock` must outlive it.
    Authenticator(Options options, const Keyring& keyring, const Clock& clock)
        : options_(std::move(options)), keyring_(keyring), clock_(clock) {}

    /// `body` is nullopt when it is streamed: then only S3's payload modes vouch for it, and the service checks them. A
    /// request without any signature is kMissing, in open mode an anonymous Principal.
    AuthResult Authenticate(const http::RequestHead& head, std::optional<WholeBody> body) const;

    /// Whether Authenticate is going to hash a whole body, told by the first look: never for a key nobody has.
    bool WillHashBody(const http::RequestHead& head) const;

  private:
    AuthResult Verify(const http::RequestHead& head, std::optional<WholeBody> body) const;
    Principal PrincipalOf(const std::string& access_key_id) const;
    AuthResult VerifyV4(const http::RequestHead& head, const V4Claim& claim, std::optional<WholeBody> body) const;
    AuthResult VerifyV2(const http::RequestHead& head, const V2Claim& claim) const;
    std::optional<AuthFailure> CheckTime(const V4Claim& claim) const;
    std::array<std::uint8_t, 32> SigningKey(const V4Claim& claim, const SecretKey& secret) const;
    Principal ReadOpenly(const http::RequestHead& head) const;

    const Options options_;
    const Keyring& keyring_;
    const Clock& clock_;

    /// Deriving a key costs five HMACs; a client signs with the same one all day.
    static constexpr std::size_t kSigningKeysMax = 256;
    mutable std::mutex mutex_;
    mutable std::map<std::string, std::array<std::uint8_t, 32>>
        signing_keys_;  // by key id and scope; guarded by mutex_
};

}  // namespace espalier::api
