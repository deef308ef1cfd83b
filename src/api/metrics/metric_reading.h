// What requests of CloudWatch say about metrics, read into monitor's nouns. Internal to the module. Pure functions.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/json_protocol.h"
#include "monitor/metrics.h"

namespace espalier::api::metrics {

WireError InvalidValue(std::string message);
WireError BadCombination(std::string message);

/// The member Dimensions, each name once.
std::variant<std::map<std::string, std::string>, WireError> DimensionsOf(const nlohmann::json& owner);
nlohmann::json DimensionsJson(const std::map<std::string, std::string>& dimensions);

/// Whether the member of that name is a time, or a list of times: what protocols with a form for times must know.
bool IsTimeMember(std::string_view name);

/// A member that holds epoch seconds, in milliseconds.
UnixMillis MillisOf(const nlohmann::json& value);

/// StartTime, EndTime and Period as a window of whole periods; the metric is left to the caller.
std::variant<monitor::PeriodQuery, WireError> WindowOf(const nlohmann::json& times, const nlohmann::json& period);

}  // namespace espalier::api::metrics
