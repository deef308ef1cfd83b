// What MetricDataQueries ask for: statistics of metrics by period, and expressions over them, which know each other by
// their ids.
//
// The metrics that an expression uses, itself or through others, share one period; an expression without metrics says
// its own. Pure functions but for reading the metrics. Source: the CloudWatch API reference, MetricDataQuery;
// metric_math.h.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "monitor/math_node.h"
#include "monitor/metrics.h"

namespace espalier::monitor {

struct MetricStat {
    MetricName metric;
    Statistic statistic;
    std::string unit;  ///< "" = any
};

struct DataQuery {
    std::string id;
    std::string label;
    bool returned = true;
    UnixMillis period_ms = 0;  ///< of an expression: that of its metrics
    bool gives_list = false;   ///< set by ParseDataQueries: an array of series, not one
    std::variant<MetricStat, MathNode> what;
};

/// Reads MetricDataQueries, whose members have their published types, in their order. kInvalidArgument, naming id and
/// member, for what cannot be answered: ids that are none, given twice, unknown or in a circle, periods that differ,
/// functions and arguments that do not fit (metric_math.h).
Result<std::vector<DataQuery>> ParseDataQueries(const meta::Scope& scope, const nlohmann::json& list);

struct DataResult {
    std::string id;
    std::string label;
    std::vector<std::pair<UnixMillis, double>> points;  ///< by the begin of their periods, oldest first
};

/// The series of those that are returned, in the order of the queries; an expression may give several. Periods that
/// begin in [from, to), the first at or before `from`. kInvalidArgument when too much is asked for.
Result<std::vector<DataResult>> ReadData(Metrics& metrics, const std::vector<DataQuery>& queries, UnixMillis from,
                                         UnixMillis to);

}  // namespace espalier::monitor
