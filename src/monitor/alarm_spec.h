// What an alarm looks at: a PutMetricAlarm request, understood. Plain values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"
#include "meta/scope.h"
#include "monitor/alarm_rule.h"
#include "monitor/metrics.h"

namespace espalier::monitor {

struct AlarmSpec {
    MetricName metric;
    Statistic statistic;
    std::string unit;  ///< "" = any
    UnixMillis period_ms = 60'000;
    AlarmRule rule;
};

/// Reads the request, whose members have their published types. kInvalidArgument with a sentence that names the member
/// for what is missing, out of range, or asks for something this server does not have.
Result<AlarmSpec> ParseAlarmSpec(const meta::Scope& scope, const nlohmann::json& request);

}  // namespace espalier::monitor
