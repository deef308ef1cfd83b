#include "api/s3/list_parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::api::s3 {
namespace {

// The first byte of a decoded token: tells ours from others', and this form from later ones.
constexpr char kTokenForm = '1';

}  // namespace

S3Result<std::uint32_t> ParseCount(const S3Request& request, std::string_view name, std::uint32_t fallback,
                                   std::uint32_t max) {
    const auto text = request.target.Parameter(name);
    if (!text || text->empty()) return fallback;
    std::int32_t value = 0;
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size()) {
        return InvalidArgument(fmt::format("Provided {} not an integer or within integer range", name),
                               std::string(name), std::string(*text));
    }
    if (value < 0) {
        return InvalidArgument(fmt::format("Argument {} must be an integer between 0 and 2147483647", name),
                               std::string(name), std::string(*text));
    }
    return std::min(static_cast<std::uint32_t>(value), max);
}

S3Result<bool> WantsUrlEncoding(const S3Request& request) {
    const std::string_view type = request.target.Parameter("encoding-type").value_or("");
    if (type.empty() || type == "url") return type == "url";
    return InvalidArgument("Invalid Encoding Method specified in Request", "encoding-type", std::string(type));
}

std::string EncodeToken(std::string_view position) {
    return Base64Encode(kTokenForm + std::string(position));
}

S3Result<std::string> DecodeToken(std::string_view token) {
    const auto position = Base64Decode(token);
    if (!position || position->empty() || position->front() != kTokenForm) {
        return InvalidArgument("The continuation token provided is incorrect", "continuation-token",
                               std::string(token));
    }
    return position->substr(1);
}

std::string ListText(std::string_view text, bool url) {
    return url ? PercentEncode(text, Slash::kKeep) : std::string(text);
}

std::string OwnerIdOf(const Principal& principal) {
    return HexEncode(Sha256::Of(principal.account_id));
}

}  // namespace espalier::api::s3
