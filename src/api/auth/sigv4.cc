#include "api/auth/sigv4.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::api {
namespace {

AuthFailure Malformed(std::string detail, bool in_query) {
    return {.fault = AuthFault::kMalformed, .detail = std::move(detail), .access_key_id = {}, .in_query = in_query};
}

bool IsPathSafe(std::string_view text) {
    return !text.empty() && text.find('/') == std::string_view::npos;
}

/// "AKID/20260131/us-east-1/s3/aws4_request". The key id may hold slashes, so the fields count from the end.
bool ReadCredential(std::string_view credential, V4Claim& claim) {
    const std::string_view whole = credential;
    std::string_view fields[4];
    for (int i = 3; i >= 0; --i) {
        std::size_t slash = credential.rfind('/');
        if (slash == std::string_view::npos) return false;
        fields[i] = credential.substr(slash + 1);
        credential = credential.substr(0, slash);
    }
    if (credential.empty() || fields[3] != "aws4_request" || !IsPathSafe(fields[1]) || !IsPathSafe(fields[2])) {
        return false;
    }
    claim.credential = whole;
    claim.access_key_id = credential;
    claim.date = fields[0];
    claim.region = fields[1];
    claim.service = fields[2];
    return true;
}

void ReadSignedHeaders(std::string_view list, V4Claim& claim) {
    claim.signed_headers.reserve(static_cast<std::size_t>(std::count(list.begin(), list.end(), ';')) + 1);
    while (!list.empty()) {
        std::size_t end = std::min(list.find(';'), list.size());
        claim.signed_headers.push_back(LowerCase(list.substr(0, end)));
        list.remove_prefix(std::min(end + 1, list.size()));
    }
}

std::string_view Trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

}  // namespace

bool V4Claim::Signs(std::string_view lower_case_name) const {
    return std::find(signed_headers.begin(), signed_headers.end(), lower_case_name) != signed_headers.end();
}

std::string_view AccessKeyIdOf(std::string_view authorization) {
    constexpr std::string_view kCredential = "Credential=";
    constexpr int kScopeFields = 4;
    const std::size_t begin = authorization.find(kCredential);
    if (begin == std::string_view::npos || !authorization.starts_with(kV4Algorithm)) return {};
    std::string_view key_id = authorization.substr(begin + kCredential.size());
    key_id = key_id.substr(0, key_id.find(','));
    for (int i = 0; i < kScopeFields; ++i) key_id = key_id.substr(0, std::min(key_id.rfind('/'), key_id.size()));
    return key_id;
}

std::variant<V4Claim, AuthFailure> ReadV4Header(const http::RequestHead& head, std::string_view authorization) {
    V4Claim claim;
    std::string_view rest = authorization.substr(std::min(authorization.find(' '), authorization.size()));
    bool has_credential = false;
    while (!rest.empty()) {
        std::size_t end = std::min(rest.find(','), rest.size());
        std::string_view part = Trim(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        std::size_t equals = part.find('=');
        if (equals == std::string_view::npos) continue;
        std::string_view value = part.substr(equals + 1);
        std::string_view name = part.substr(0, equals);
        if (name == "Credential") {
            has_credential = ReadCredential(value, claim);
        } else if (name == "SignedHeaders") {
            ReadSignedHeaders(value, claim);
        } else if (name == "Signature") {
            claim.signature = value;
        }
    }
    if (!has_credential) return Malformed("Authorization header requires a valid 'Credential' parameter.", false);
    if (claim.signed_headers.empty())
        return Malformed("Authorization header requires 'SignedHeaders' parameter.", false);
    if (claim.signature.empty()) return Malformed("Authorization header requires 'Signature' parameter.", false);
    claim.amz_date = head.headers.Get("x-amz-date");
    if (claim.amz_date.empty()) {
        if (auto date = ParseHttpDate(std::string(head.headers.Get("Date")))) claim.amz_date = FormatAmzDate(*date);
    }
    if (!ParseAmzDate(claim.amz_date)) {
        return Malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.", false);
    }
    if (claim.amz_date.substr(0, 8) != claim.date) {
        return Malformed("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
                         false);
    }
    return claim;
}

std::variant<V4Claim, AuthFailure> ReadV4Query(const std::vector<RawParameter>& parameters) {
    V4Claim claim;
    claim.in_query = true;
    auto value = [&](std::string_view name) { return QueryValue(parameters, name).value_or(""); };
    if (value("X-Amz-Algorithm") != kV4Algorithm) {
        return Malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"", true);
    }
    if (!ReadCredential(value("X-Amz-Credential"), claim)) {
        return Malformed(
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
            "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
            true);
    }
    ReadSignedHeaders(value("X-Amz-SignedHeaders"), claim);
    claim.signature = value("X-Amz-Signature");
    claim.amz_date = value("X-Amz-Date");
    std::string expires = value("X-Amz-Expires");
    auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), claim.expires_seconds);
    bool is_number = error == std::errc() && end == expires.data() + expires.size();
    if (claim.signed_headers.empty() || claim.signature.empty() || claim.amz_date.empty() || expires.empty()) {
        return Malformed(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            true);
    }
    if (!is_number) return Malformed("X-Amz-Expires should be a number", true);
    if (claim.expires_seconds < 0) return Malformed("X-Amz-Expires must be non-negative", true);
    if (!ParseAmzDate(claim.amz_date)) {
        return Malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"", true);
    }
    if (claim.amz_date.substr(0, 8) != claim.date) {
        return Malformed("Invalid credential date \"" + claim.date + "\". This date is not the same as X-Amz-Date.",
                         true);
    }
    return claim;
}

std::string StringToSignV4(const http::RequestHead& head, const V4Claim& claim, std::string_view canonical_path,
                           std::string_view payload_hash) {
    constexpr std::size_t kTypicalBytes = 512;
    std::string canonical;
    canonical.reserve(kTypicalBytes);
    canonical.append(head.method).append("\n");
    canonical.append(canonical_path).append("\n");
    canonical.append(CanonicalQuery(SplitQuery(head.raw_query()), claim.in_query ? "X-Amz-Signature" : ""));
    canonical.append("\n");
    for (const std::string& name : claim.signed_headers) {
        canonical.append(name).append(":");
        AppendCanonicalHeaderValue(head.headers, name, canonical);
        canonical.append("\n");
    }
    for (const char* before = "\n"; const std::string& name : claim.signed_headers) {
        canonical.append(std::exchange(before, ";")).append(name);
    }
    canonical.append("\n").append(payload_hash);
    std::string text;
    text.reserve(kTypicalBytes);
    text.append(kV4Algorithm).append("\n").append(claim.amz_date).append("\n").append(claim.scope()).append("\n");
    return text.append(HexEncode(Sha256::Of(canonical)));
}

std::array<std::uint8_t, 32> DeriveSigningKey(std::string_view secret, const V4Claim& claim) {
    Sha256::Value key = HmacSha256("AWS4" + std::string(secret), claim.date);
    key = HmacSha256(AsChars(key), claim.region);
    key = HmacSha256(AsChars(key), claim.service);
    return HmacSha256(AsChars(key), "aws4_request");
}

}  // namespace espalier::api
