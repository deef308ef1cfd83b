#include "api/error_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace espalier::api {
namespace {

constexpr std::string_view kMismatchS3 =
    "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and "
    "signing method. Consult the service documentation for details.";
constexpr std::string_view kUnknownKey = "The security token included in the request is invalid.";

WireFault DescribeForS3(const AuthFailure& failure) {
    switch (failure.fault) {
        case AuthFault::kMissing:
            return {403, "AccessDenied", "Access Denied"};
        case AuthFault::kMalformed:
            if (failure.in_query) return {400, "AuthorizationQueryParametersError", failure.detail};
            return {400, "AuthorizationHeaderMalformed", "The authorization header is malformed; " + failure.detail};
        case AuthFault::kUnknownKey:
            return {403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."};
        case AuthFault::kMismatch:
            return {403, "SignatureDoesNotMatch", std::string(kMismatchS3)};
        case AuthFault::kSkewed:
            return {403, "RequestTimeTooSkewed",
                    "The difference between the request time and the current time is too large."};
        case AuthFault::kExpired:
            return {403, "AccessDenied", failure.detail};
        case AuthFault::kHeadersNotSigned:
            return {403, "AccessDenied",
                    "There were headers present in the request which were not signed: " + failure.detail};
        case AuthFault::kBodyMismatch:
            return {400, "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed."};
    }
    return {403, "AccessDenied", "Access Denied"};
}

/// The query services and the JSON services differ in the names only.
WireFault DescribeForOthers(const AuthFailure& failure, bool query) {
    switch (failure.fault) {
        case AuthFault::kMissing:
            if (query) return {403, "MissingAuthenticationToken", "Request is missing Authentication Token"};
            return {403, "MissingAuthenticationTokenException", "Missing Authentication Token"};
        case AuthFault::kMalformed:
            return {400, query ? "IncompleteSignature" : "IncompleteSignatureException", failure.detail};
        case AuthFault::kUnknownKey:
            return {403, query ? "InvalidClientTokenId" : "UnrecognizedClientException", std::string(kUnknownKey)};
        case AuthFault::kHeadersNotSigned:
            return {403, query ? "SignatureDoesNotMatch" : "InvalidSignatureException",
                    fmt::format("'{}' must be a 'SignedHeader' in the AWS Authorization.", failure.detail)};
        case AuthFault::kSkewed:
        case AuthFault::kExpired:
            return {403, query ? "SignatureDoesNotMatch" : "InvalidSignatureException", failure.detail};
        case AuthFault::kMismatch:
        case AuthFault::kBodyMismatch:
            break;
    }
    return {403, query ? "SignatureDoesNotMatch" : "InvalidSignatureException", std::string(kMismatch)};
}

/// Bytes of the UTF-8 character at the start of `text`; 0 when it is none (RFC 3629: no overlong forms, no surrogates).
std::size_t CharacterBytes(std::string_view text) {
    auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    auto follows = [&](std::size_t i) { return byte(i) >> 6 == 2; };
    unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        bool allowed = (first != 0xE0 || byte(1) >= 0xA0) && (first != 0xED || byte(1) <= 0x9F);
        return allowed && follows(1) && follows(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        bool allowed = (first != 0xF0 || byte(1) >= 0x90) && (first != 0xF4 || byte(1) <= 0x8F);
        return allowed && follows(1) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::string XmlEscape(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    std::size_t num_bytes = 1;
    for (std::size_t i = 0; i < text.size(); i += num_bytes) {
        num_bytes = CharacterBytes(text.substr(i));
        if (num_bytes != 1) {
            escaped += num_bytes == 0 ? std::string_view("?") : text.substr(i, num_bytes);
            num_bytes = std::max<std::size_t>(num_bytes, 1);
            continue;
        }
        const char c = text[i];
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default: {
                bool printable = static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\n' || c == '\r';
                escaped += printable ? c : '?';
            }
        }
    }
    return escaped;
}

http::Response ErrorAnswer(WireProtocol protocol, const WireFault& error, std::string_view resource,
                           std::string_view request_id) {
    http::Response response{.status = error.status, .headers = {}, .body = {}};
    auto json = [&](const char* content_type, const char* message_name) {
        nlohmann::json body = {{message_name, error.message}};
        if (protocol == WireProtocol::kJson) body["__type"] = error.code;
        response.headers.Add("Content-Type", content_type);
        response.headers.Add("x-amzn-ErrorType", error.code);
        response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    };
    switch (protocol) {
        case WireProtocol::kRestXml:
            response.headers.Add("Content-Type", "application/xml");
            response.body = fmt::format(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>"
                "<Resource>{}</Resource><RequestId>{}</RequestId><HostId>{}</HostId></Error>",
                error.code, XmlEscape(error.message), XmlEscape(resource), request_id, request_id);
            break;
        case WireProtocol::kJson:
            json("application/x-amz-json-1.1", "message");
            break;
        case WireProtocol::kRestJson:
            json("application/json", "Message");
            break;
        case WireProtocol::kQuery:
            response.headers.Add("Content-Type", "text/xml");
            response.body = fmt::format(
                "<ErrorResponse><Error><Type>{}</Type><Code>{}</Code><Message>{}</Message></Error>"
                "<RequestId>{}</RequestId></ErrorResponse>",
                error.status < 500 ? "Sender" : "Receiver", error.code, XmlEscape(error.message), request_id);
            break;
    }
    return response;
}

WireFault DescribeAuthFailure(WireProtocol protocol, const AuthFailure& failure) {
    if (protocol == WireProtocol::kRestXml) return DescribeForS3(failure);
    return DescribeForOthers(failure, protocol == WireProtocol::kQuery);
}

}  // namespace espalier::api
