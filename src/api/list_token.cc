#include "api/list_token.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::api {
namespace {

std::string Fingerprint(std::string_view operation, const meta::Scope& scope, const nlohmann::json& request,
                        const ListPlace& place) {
    nlohmann::json question = request;
    // Every service has its own words for the token and for the size of a page, which may differ from page to page.
    for (const char* member : {"NextToken", "nextToken", "MaxResults", "MaxRecords", "limit"}) question.erase(member);
    const nlohmann::json whole = {operation, scope.account, scope.region, question, place.sort_value, place.row};
    constexpr std::size_t kFingerprintHexDigits = 16;
    return HexEncode(Sha256::Of(whole.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)))
        .substr(0, kFingerprintHexDigits);
}

}  // namespace

std::string MakeListToken(std::string_view operation, const meta::Scope& scope, const nlohmann::json& request,
                          const ListPlace& place) {
    const nlohmann::json token = {Fingerprint(operation, scope, request, place), place.sort_value, place.row};
    return Base64Encode(token.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::optional<ListPlace> ReadListToken(const std::string& token, std::string_view operation, const meta::Scope& scope,
                                       const nlohmann::json& request) {
    const std::optional<std::string> text = Base64Decode(token);
    if (!text) return std::nullopt;
    const nlohmann::json parts = nlohmann::json::parse(*text, nullptr, false);
    if (!parts.is_array() || parts.size() != 3 || !parts[0].is_string() || !parts[1].is_string() ||
        !parts[2].is_string())
        return std::nullopt;
    ListPlace place = {.sort_value = parts[1].get<std::string>(), .row = parts[2].get<std::string>()};
    if (parts[0].get_ref<const std::string&>() != Fingerprint(operation, scope, request, place)) return std::nullopt;
    return place;
}

std::optional<std::int64_t> NumberOf(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace espalier::api
