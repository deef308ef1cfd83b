// What an alarm looks at: a PutMetricAlarm request, understood. A metric's statistic, or one series out of metrics and
// expressions (data_query.h). Plain values, and the points they stand for.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "base/result.h"
#include "meta/scope.h"
#include "monitor/alarm_rule.h"
#include "monitor/data_query.h"

namespace espalier::monitor {

struct AlarmSpec {
    std::vector<DataQuery> queries;  ///< one of which is returned: the watched one
    UnixMillis period_ms = 60'000;
    AlarmRule rule;

    /// The metric's statistic that is watched itself; nullptr for an expression.
    MetricStat* statistic();
    const MetricStat* statistic() const;
};

/// Reads the request, whose members have their published types. kInvalidArgument with a sentence that names the member
/// for what is missing, out of range, or asks for something this server does not have.
Result<AlarmSpec> ParseAlarmSpec(const meta::Scope& scope, const nlohmann::json& request);

/// Those of the `count` periods before `range_end`, oldest first, nullopt where there is none.
Result<std::vector<std::optional<double>>> ReadAlarmPoints(Metrics& metrics, const AlarmSpec& spec,
                                                           UnixMillis range_end, int count);

}  // namespace espalier::monitor
