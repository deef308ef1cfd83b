#include "api/auth/sigv2.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace espalier::api {
namespace {

/// Query parameters that name a sub-resource or change the answer, and so are signed. Sorted.
constexpr std::string_view kSignedParameters[] = {"accelerate",
                                                  "acl",
                                                  "analytics",
                                                  "cors",
                                                  "defaultObjectAcl",
                                                  "delete",
                                                  "inventory",
                                                  "lifecycle",
                                                  "location",
                                                  "logging",
                                                  "metrics",
                                                  "notification",
                                                  "object-lock",
                                                  "partNumber",
                                                  "policy",
                                                  "replication",
                                                  "requestPayment",
                                                  "response-cache-control",
                                                  "response-content-disposition",
                                                  "response-content-encoding",
                                                  "response-content-language",
                                                  "response-content-type",
                                                  "response-expires",
                                                  "restore",
                                                  "select",
                                                  "select-type",
                                                  "storageClass",
                                                  "tagging",
                                                  "torrent",
                                                  "uploadId",
                                                  "uploads",
                                                  "versionId",
                                                  "versioning",
                                                  "versions",
                                                  "website"};

AuthFailure Malformed(std::string detail, bool in_query) {
    return {.fault = AuthFault::kMalformed, .detail = std::move(detail), .access_key_id = {}, .in_query = in_query};
}

/// All values of that name joined by commas. Unlike in V4, blanks inside a value stay as they are.
std::string JoinedValues(const http::Headers& headers, std::string_view name) {
    std::string joined;
    bool first = true;
    for (const auto& [field_name, value] : headers.fields()) {
        if (!http::EqualsIgnoreCase(field_name, name)) continue;
        if (!std::exchange(first, false)) joined += ',';
        joined += value;
    }
    return joined;
}

/// A header, or in a link the query parameter of that name: botocore moves Content-Type and the like there.
std::string HeaderOrParameter(const http::RequestHead& head, const std::vector<RawParameter>& parameters,
                              const V2Claim& claim, std::string_view lower_case_name) {
    if (head.headers.Has(lower_case_name)) return JoinedValues(head.headers, lower_case_name);
    return claim.in_query ? QueryValue(parameters, lower_case_name).value_or("") : "";
}

std::string AmzHeaders(const http::RequestHead& head, const std::vector<RawParameter>& parameters,
                       const V2Claim& claim) {
    std::map<std::string, std::string> values;
    for (const auto& [name, value] : head.headers.fields()) {
        std::string lower = LowerCase(name);
        if (lower.starts_with("x-amz-")) values[lower] = JoinedValues(head.headers, lower);
    }
    if (claim.in_query) {
        for (const auto& [name, value] : parameters) {
            std::string lower = LowerCase(name);
            if (lower.starts_with("x-amz-")) values.try_emplace(lower, QueryValue(parameters, name).value_or(""));
        }
    }
    std::string lines;
    for (const auto& [name, value] : values) lines.append(name).append(":").append(value).append("\n");
    return lines;
}

std::string Resource(const http::RequestHead& head, const std::vector<RawParameter>& parameters,
                     std::string_view path) {
    std::vector<std::string> signed_ones;
    for (const auto& [name, value] : parameters) {
        if (!std::binary_search(std::begin(kSignedParameters), std::end(kSignedParameters), name)) continue;
        // Values are signed decoded; a name alone is signed alone.
        bool has_equals = !value.empty() || (name.data() + name.size() < head.target.data() + head.target.size() &&
                                             name.data()[name.size()] == '=');
        std::string text(name);
        if (has_equals) text += "=" + QueryValue(parameters, name).value_or("");
        signed_ones.push_back(std::move(text));
    }
    std::sort(signed_ones.begin(), signed_ones.end());
    std::string resource(path);
    char separator = '?';
    for (const std::string& text : signed_ones) {
        resource += separator;
        resource += text;
        separator = '&';
    }
    return resource;
}

}  // namespace

std::variant<V2Claim, AuthFailure> ReadV2Header(std::string_view authorization) {
    constexpr std::string_view kScheme = "AWS ";
    std::string_view credential = authorization.substr(kScheme.size());
    std::size_t colon = credential.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == credential.size()) {
        return Malformed("AWS authorization header is invalid.  Expected AwsAccessKeyId:signature", false);
    }
    V2Claim claim;
    claim.access_key_id = credential.substr(0, colon);
    claim.signature = credential.substr(colon + 1);
    return claim;
}

std::variant<V2Claim, AuthFailure> ReadV2Query(const std::vector<RawParameter>& parameters) {
    V2Claim claim;
    claim.in_query = true;
    claim.access_key_id = QueryValue(parameters, "AWSAccessKeyId").value_or("");
    claim.signature = QueryValue(parameters, "Signature").value_or("");
    std::string expires = QueryValue(parameters, "Expires").value_or("");
    if (claim.access_key_id.empty() || claim.signature.empty() || expires.empty()) {
        return Malformed("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
                         true);
    }
    auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), claim.expires_unix_seconds);
    if (error != std::errc() || end != expires.data() + expires.size()) {
        return Malformed("Invalid date (should be seconds since epoch): " + expires, true);
    }
    return claim;
}

std::string StringToSignV2(const http::RequestHead& head, const V2Claim& claim, std::string_view path) {
    std::vector<RawParameter> parameters = SplitQuery(head.raw_query());
    std::string text = head.method + "\n";
    text += HeaderOrParameter(head, parameters, claim, "content-md5") + "\n";
    text += HeaderOrParameter(head, parameters, claim, "content-type") + "\n";
    if (claim.in_query) {
        text += std::to_string(claim.expires_unix_seconds);
    } else if (!head.headers.Has("x-amz-date")) {
        text += JoinedValues(head.headers, "date");
    }
    text += "\n";
    return text + AmzHeaders(head, parameters, claim) + Resource(head, parameters, path);
}

std::vector<std::string> ResourcePathsV2(const http::RequestHead& head) {
    std::vector<std::string> paths = {std::string(head.raw_path())};
    if (paths[0].size() > 1 && paths[0].find('/', 1) == std::string::npos) paths.push_back(paths[0] + "/");
    return paths;
}

}  // namespace espalier::api
