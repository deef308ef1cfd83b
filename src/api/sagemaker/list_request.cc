#include "api/sagemaker/list_request.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace espalier::api::sagemaker {

std::variant<std::optional<ListPlace>, WireError> ReadNextToken(std::string_view operation, const meta::Scope& scope,
                                                                const nlohmann::json& request) {
    if (!request.contains("NextToken")) return std::optional<ListPlace>();
    const std::optional<ListPlace> place =
        ReadListToken(request["NextToken"].get_ref<const std::string&>(), operation, scope, request);
    if (place) return place;
    return WireError{.type = "ValidationException",
                     .message = "Invalid NextToken: it was not returned by the same request."};
}

meta::ListSort SortOf(std::string_view sort_by) {
    if (sort_by == "Name") return meta::ListSort::kName;
    if (sort_by == "Status") return meta::ListSort::kStatus;
    return meta::ListSort::kCreationTime;
}

std::optional<UnixMillis> TimeMember(const nlohmann::json& request, const char* name) {
    if (!request.contains(name)) return std::nullopt;
    // Beyond these seconds (year 292 million) milliseconds leave 64 bits; such a bound filters nothing or everything.
    constexpr double kSecondsMax = 9.0e15;
    const double seconds = std::clamp(request[name].get<double>(), -kSecondsMax, kSecondsMax);
    return static_cast<UnixMillis>(std::llround(seconds * 1000.0));
}

}  // namespace espalier::api::sagemaker
