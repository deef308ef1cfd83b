#include "api/auth/authenticator.h"

#include <algorithm>
#include <cstdlib>

#include "base/encoding.h"

namespace espalier::api {
namespace {

constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

struct PayloadWord {
    std::string_view word;
    PayloadMode mode;
};
constexpr PayloadWord kPayloadWords[] = {
    {kUnsignedPayload, PayloadMode::kUnsigned},
    {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", PayloadMode::kStreamingUnsignedTrailer},
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PayloadMode::kStreamingSigned},
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PayloadMode::kStreamingSignedTrailer},
};

constexpr std::size_t kHashHexDigits = 64;

std::string HashOf(const WholeBody& body) {
    return HexEncode(body.sha256 != nullptr ? *body.sha256 : Sha256::Of(body.bytes));
}

/// What x-amz-content-sha256 says; nullopt for what it may not say.
std::optional<PayloadMode> ReadPayloadMode(std::string_view text) {
    for (const auto& [word, mode] : kPayloadWords) {
        if (word == text) return mode;
    }
    if (text.size() == kHashHexDigits && HexDecode(text)) return PayloadMode::kSignedHash;
    return std::nullopt;
}

bool IsAccount(std::string_view text) {
    return text.size() == 12 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

AuthFailure Fail(AuthFault fault, std::string detail, const V4Claim& claim) {
    return {
        .fault = fault, .detail = std::move(detail), .access_key_id = claim.access_key_id, .in_query = claim.in_query};
}

/// Headers that change what a request does must be under the signature; host always.
std::optional<std::string> UnsignedHeader(const http::RequestHead& head, const V4Claim& claim) {
    if (!claim.Signs("host")) return "host";
    for (const auto& [name, value] : head.headers.fields()) {
        if (name.size() < 6 || !http::EqualsIgnoreCase(name.substr(0, 6), "x-amz-")) continue;
        std::string lower = LowerCase(name);
        // A link's payload word may come along as a header; the query is what was signed.
        if (claim.in_query && lower == "x-amz-content-sha256") continue;
        if ((claim.service == "s3" || lower == "x-amz-target") && !claim.Signs(lower)) return lower;
    }
    return std::nullopt;
}

/// How the signer may have spelled the path. S3 clients differ over escapes that need not be, "%2F" above all: some
/// sign the path they send, some the key encoded anew. Both name the same key.
std::vector<std::string> CanonicalPaths(const http::RequestHead& head, const V4Claim& claim) {
    if (claim.service != "s3") return {CanonicalPathTwice(head.raw_path())};
    std::vector<std::string> paths = {CanonicalPathOnce(head.raw_path())};
    if (auto decoded = PercentDecode(head.raw_path())) {
        std::string anew = PercentEncode(*decoded, Slash::kKeep);
        if (anew != paths[0]) paths.push_back(std::move(anew));
    }
    return paths;
}

/// Repeating one of these could show two readers two different values.
bool HasDoubledField(const http::RequestHead& head) {
    for (std::string_view name : {"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-target"}) {
        auto is_it = [&](const auto& field) { return http::EqualsIgnoreCase(field.first, name); };
        if (std::ranges::count_if(head.headers.fields(), is_it) > 1) return true;
    }
    return false;
}

}  // namespace

AuthResult Authenticator::Authenticate(const http::RequestHead& head, std::optional<WholeBody> body) const {
    if (options_.open) return ReadOpenly(head);
    return Verify(head, body);
}

bool Authenticator::WillHashBody(const http::RequestHead& head) const {
    const std::string_view word = head.headers.Get("x-amz-content-sha256");
    if (options_.open || (!word.empty() && word.size() != kHashHexDigits)) return false;
    return keyring_.Find(AccessKeyIdOf(head.headers.Get("Authorization"))) != nullptr;
}

AuthResult Authenticator::Verify(const http::RequestHead& head, std::optional<WholeBody> body) const {
    if (HasDoubledField(head)) {
        return AuthFailure{AuthFault::kMalformed, "A header of the signature is given more than once.", {}, false};
    }
    std::vector<RawParameter> parameters = SplitQuery(head.raw_query());
    auto has = [&](std::string_view name) {
        return std::any_of(parameters.begin(), parameters.end(), [&](const auto& pair) { return pair.first == name; });
    };
    std::string_view authorization = head.headers.Get("Authorization");
    std::variant<V4Claim, AuthFailure> v4 = AuthFailure{AuthFault::kMissing, {}, {}, false};
    if (has("X-Amz-Algorithm") || has("X-Amz-Signature")) {
        if (!authorization.empty()) {
            return AuthFailure{AuthFault::kMalformed,
                               "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
                               "query string parameter or the Authorization header should be specified",
                               {},
                               true};
        }
        v4 = ReadV4Query(parameters);
    } else if (has("AWSAccessKeyId") || has("Signature")) {
        auto v2 = ReadV2Query(parameters);
        if (auto* failure = std::get_if<AuthFailure>(&v2)) return *failure;
        return VerifyV2(head, std::get<V2Claim>(v2));
    } else if (authorization.starts_with(kV4Algorithm) && authorization.substr(kV4Algorithm.size()).starts_with(' ')) {
        v4 = ReadV4Header(head, authorization);
    } else if (authorization.starts_with("AWS ")) {
        auto v2 = ReadV2Header(authorization);
        if (auto* failure = std::get_if<AuthFailure>(&v2)) return *failure;
        return VerifyV2(head, std::get<V2Claim>(v2));
    } else if (!authorization.empty()) {
        return AuthFailure{
            AuthFault::kMalformed, "The authorization mechanism you have provided is not supported.", {}, false};
    }
    if (auto* failure = std::get_if<AuthFailure>(&v4)) return *failure;
    return VerifyV4(head, std::get<V4Claim>(v4), body);
}

AuthResult Authenticator::VerifyV4(const http::RequestHead& head, const V4Claim& claim,
                                   std::optional<WholeBody> body) const {
    const SecretKey* secret = keyring_.Find(claim.access_key_id);
    if (secret == nullptr) return Fail(AuthFault::kUnknownKey, {}, claim);
    if (auto failure = CheckTime(claim)) return *std::move(failure);
    if (auto name = UnsignedHeader(head, claim)) return Fail(AuthFault::kHeadersNotSigned, *name, claim);

    Principal principal = PrincipalOf(claim.access_key_id);
    principal.region = claim.region;
    principal.service = claim.service;
    std::string payload_hash(head.headers.Get("x-amz-content-sha256"));
    if (claim.in_query && claim.service == "s3") {
        // A link vouches for the body only if the payload word stands in its signed query.
        payload_hash = QueryValue(SplitQuery(head.raw_query()), "X-Amz-Content-Sha256").value_or("UNSIGNED-PAYLOAD");
    }
    if (payload_hash.empty()) {
        if (claim.service == "s3" || !body) {
            return Fail(AuthFault::kMalformed, "Missing required header for this request: x-amz-content-sha256", claim);
        }
        payload_hash = HashOf(*body);
    } else {
        std::optional<PayloadMode> mode = ReadPayloadMode(payload_hash);
        if (!mode) {
            return Fail(AuthFault::kMalformed,
                        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid "
                        "sha256 value.",
                        claim);
        }
        principal.payload_mode = *mode;
    }
    std::array<std::uint8_t, 32> key = SigningKey(claim, *secret);
    std::string expected;
    bool matches = false;
    for (const std::string& path : CanonicalPaths(head, claim)) {
        expected = HexEncode(HmacSha256(AsChars(key), StringToSignV4(head, claim, path, payload_hash)));
        if ((matches = EqualsConstantTime(expected, claim.signature))) break;
    }
    if (!matches) return Fail(AuthFault::kMismatch, {}, claim);

    if (principal.payload_mode == PayloadMode::kSignedHash) {
        principal.payload_sha256_hex = LowerCase(payload_hash);
        if (body && HashOf(*body) != principal.payload_sha256_hex) {
            return Fail(AuthFault::kBodyMismatch, {}, claim);
        }
    }
    if (principal.payload_mode == PayloadMode::kStreamingSigned ||
        principal.payload_mode == PayloadMode::kStreamingSignedTrailer) {
        principal.chunk_signing = {.signing_key = key,
                                   .amz_date = claim.amz_date,
                                   .scope = std::string(claim.scope()),
                                   .seed_signature = expected,
                                   .verify = true};
    }
    return principal;
}

std::optional<AuthFailure> Authenticator::CheckTime(const V4Claim& claim) const {
    const UnixMillis now = clock_.WallMillis();
    const UnixMillis signed_at = ParseAmzDate(claim.amz_date).value_or(0);
    if (!claim.in_query) {
        if (std::abs(now - signed_at) <= kClockSkewMaxMillis) return std::nullopt;
        std::string detail = signed_at < now ? "Signature expired: " + claim.amz_date + " is now earlier than " +
                                                   FormatAmzDate(now - kClockSkewMaxMillis)
                                             : "Signature not yet current: " + claim.amz_date +
                                                   " is still later than " + FormatAmzDate(now + kClockSkewMaxMillis);
        return Fail(AuthFault::kSkewed,
                    detail + " (" + FormatAmzDate(now) + " " + (signed_at < now ? "-" : "+") + " 15 min.)", claim);
    }
    if (claim.expires_seconds > kPresignedSecondsMax) {
        return Fail(AuthFault::kMalformed, "X-Amz-Expires must be less than a week (in seconds) that is 604800", claim);
    }
    if (signed_at > now + kClockSkewMaxMillis) return Fail(AuthFault::kExpired, "Request is not valid yet", claim);
    if (now > signed_at + claim.expires_seconds * 1000) return Fail(AuthFault::kExpired, "Request has expired", claim);
    return std::nullopt;
}

AuthResult Authenticator::VerifyV2(const http::RequestHead& head, const V2Claim& claim) const {
    auto fail = [&](AuthFault fault, std::string detail) {
        return AuthFailure{fault, std::move(detail), claim.access_key_id, claim.in_query};
    };
    const SecretKey* secret = keyring_.Find(claim.access_key_id);
    if (secret == nullptr) return fail(AuthFault::kUnknownKey, {});
    const UnixMillis now = clock_.WallMillis();
    if (claim.in_query) {
        if (now / 1000 > claim.expires_unix_seconds) return fail(AuthFault::kExpired, "Request has expired");
    } else {
        std::string date(head.headers.Get("x-amz-date", head.headers.Get("Date")));
        std::optional<UnixMillis> signed_at = ParseHttpDate(date);
        if (!signed_at) signed_at = ParseAmzDate(date);
        if (!signed_at) {
            return fail(AuthFault::kMalformed, "AWS authentication requires a valid Date or x-amz-date header");
        }
        if (std::abs(now - *signed_at) > kClockSkewMaxMillis) return fail(AuthFault::kSkewed, {});
    }
    const std::vector<std::string> paths = ResourcePathsV2(head);
    const bool matches = std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
        return EqualsConstantTime(Base64Encode(HmacSha1(secret->value, StringToSignV2(head, claim, path))),
                                  claim.signature);
    });
    if (!matches) return fail(AuthFault::kMismatch, {});
    Principal principal = PrincipalOf(claim.access_key_id);
    principal.service = "s3";
    return principal;
}

Principal Authenticator::PrincipalOf(const std::string& access_key_id) const {
    Principal principal;
    principal.access_key_id = access_key_id;
    principal.account_id = IsAccount(access_key_id) ? access_key_id : options_.default_account;
    principal.region = options_.default_region;
    return principal;
}

std::array<std::uint8_t, 32> Authenticator::SigningKey(const V4Claim& claim, const SecretKey& secret) const {
    {
        std::lock_guard lock(mutex_);
        auto found = signing_keys_.find(claim.credential);
        if (found != signing_keys_.end()) return found->second;
    }
    std::array<std::uint8_t, 32> key = DeriveSigningKey(secret.value, claim);
    std::lock_guard lock(mutex_);
    if (signing_keys_.size() >= kSigningKeysMax) signing_keys_.clear();
    signing_keys_[claim.credential] = key;
    return key;
}

Principal Authenticator::ReadOpenly(const http::RequestHead& head) const {
    std::vector<RawParameter> parameters = SplitQuery(head.raw_query());
    std::string_view authorization = head.headers.Get("Authorization");
    std::string access_key_id;
    std::string region;
    std::string service;
    std::variant<V4Claim, AuthFailure> v4 = AuthFailure{AuthFault::kMissing, {}, {}, false};
    if (authorization.starts_with("AWS4-")) v4 = ReadV4Header(head, authorization);
    if (QueryValue(parameters, "X-Amz-Credential")) v4 = ReadV4Query(parameters);
    if (auto* claim = std::get_if<V4Claim>(&v4)) {
        access_key_id = claim->access_key_id;
        region = claim->region;
        service = claim->service;
    } else if (authorization.starts_with("AWS ")) {
        auto v2 = ReadV2Header(authorization);
        if (auto* v2_claim = std::get_if<V2Claim>(&v2)) access_key_id = v2_claim->access_key_id;
        service = "s3";
    } else if (auto key = QueryValue(parameters, "AWSAccessKeyId")) {
        access_key_id = *key;
        service = "s3";
    }
    Principal principal = PrincipalOf(access_key_id);
    principal.service = service;
    if (!region.empty()) principal.region = region;
    principal.payload_mode = ReadPayloadMode(head.headers.Get("x-amz-content-sha256")).value_or(PayloadMode::kUnsigned);
    return principal;
}

}  // namespace espalier::api
