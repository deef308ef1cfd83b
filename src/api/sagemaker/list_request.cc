#include "api/sagemaker/list_request.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::api::sagemaker {
namespace {

/// Everything that decides which rows the list has and in what order; MaxResults may differ from page to page.
std::string Fingerprint(std::string_view operation, const meta::Scope& scope, const nlohmann::json& request) {
    nlohmann::json question = request;
    question.erase("NextToken");
    question.erase("MaxResults");
    const nlohmann::json whole = {operation, scope.account, scope.region, question};
    constexpr std::size_t kFingerprintHexDigits = 16;
    return HexEncode(Sha256::Of(whole.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)))
        .substr(0, kFingerprintHexDigits);
}

}  // namespace

std::string MakeNextToken(std::string_view operation, const meta::Scope& scope, const nlohmann::json& request,
                          const ListPlace& place) {
    const nlohmann::json token = {Fingerprint(operation, scope, request), place.sort_value, place.row};
    return Base64Encode(token.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::variant<std::optional<ListPlace>, WireError> ReadNextToken(std::string_view operation, const meta::Scope& scope,
                                                                const nlohmann::json& request) {
    if (!request.contains("NextToken")) return std::optional<ListPlace>();
    const WireError refusal{.type = "ValidationException",
                            .message = "Invalid NextToken: it was not returned by the same request."};
    const std::optional<std::string> text = Base64Decode(request["NextToken"].get_ref<const std::string&>());
    if (!text) return refusal;
    const nlohmann::json token = nlohmann::json::parse(*text, nullptr, false);
    if (!token.is_array() || token.size() != 3 || !token[0].is_string() || !token[1].is_string() ||
        !token[2].is_string() || token[0].get_ref<const std::string&>() != Fingerprint(operation, scope, request))
        return refusal;
    return std::optional(ListPlace{.sort_value = token[1].get<std::string>(), .row = token[2].get<std::string>()});
}

std::optional<UnixMillis> TimeMember(const nlohmann::json& request, const char* name) {
    if (!request.contains(name)) return std::nullopt;
    // Beyond these seconds (year 292 million) milliseconds leave 64 bits; such a bound filters nothing or everything.
    constexpr double kSecondsMax = 9.0e15;
    const double seconds = std::clamp(request[name].get<double>(), -kSecondsMax, kSecondsMax);
    return static_cast<UnixMillis>(std::llround(seconds * 1000.0));
}

}  // namespace espalier::api::sagemaker
