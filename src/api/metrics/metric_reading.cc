#include "api/metrics/metric_reading.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace espalier::api::metrics {

using nlohmann::json;

WireError InvalidValue(std::string message) {
    return {.type = "InvalidParameterValue", .message = std::move(message)};
}

WireError BadCombination(std::string message) {
    return {.type = "InvalidParameterCombination", .message = std::move(message)};
}

std::variant<std::map<std::string, std::string>, WireError> DimensionsOf(const json& owner) {
    std::map<std::string, std::string> dimensions;
    if (!owner.contains("Dimensions")) return dimensions;
    for (const json& dimension : owner["Dimensions"]) {
        const std::string name = dimension.at("Name").get<std::string>();
        if (!dimensions.emplace(name, dimension.at("Value").get<std::string>()).second)
            return InvalidValue(fmt::format("The dimension {} is given twice.", name));
    }
    return dimensions;
}

json DimensionsJson(const std::map<std::string, std::string>& dimensions) {
    json list = json::array();
    for (const auto& [name, value] : dimensions) list.push_back({{"Name", name}, {"Value", value}});
    return list;
}

bool IsTimeMember(std::string_view name) {
    return name.ends_with("Timestamp") || name == "Timestamps";
}

UnixMillis MillisOf(const json& value) {
    return static_cast<UnixMillis>(std::llround(value.get<double>() * 1000.0));
}

std::variant<monitor::PeriodQuery, WireError> WindowOf(const json& times, const json& period) {
    const auto seconds = period.get<std::int64_t>();
    const bool regular = seconds == 1 || seconds == 5 || seconds == 10 || seconds == 20 || seconds == 30 ||
                         (seconds > 0 && seconds <= 86400 && seconds % 60 == 0);
    if (!regular)
        return InvalidValue("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, at most 86400.");
    monitor::PeriodQuery query{
        .metric = {}, .from = 0, .to = MillisOf(times.at("EndTime")), .period_ms = seconds * 1000};
    const UnixMillis start = MillisOf(times.at("StartTime"));
    if (start >= query.to) return InvalidValue("The parameter StartTime must be less than the parameter EndTime.");
    const UnixMillis remainder = start % query.period_ms;
    query.from = start - (remainder < 0 ? remainder + query.period_ms : remainder);
    return query;
}

}  // namespace espalier::api::metrics
