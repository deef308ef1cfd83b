// The operations of CloudWatch on metrics: PutMetricData, GetMetricStatistics, GetMetricData, ListMetrics.
//
// A data point aggregates one period that starts at a multiple of it; StartTime is rounded down to a period, so that a
// job of two seconds falls into one point. Anything without values has no data points, as in CloudWatch. Thread-safe.
#pragma once

#include <functional>

#include "api/metrics/metrics_service.h"
#include "base/clock.h"
#include "monitor/metrics.h"

namespace espalier::api::metrics {

inline constexpr std::int64_t kDatapointsMax = 1440;  // CloudWatch's limit of one GetMetricStatistics

/// `metrics` and `clock` are borrowed. `before_read` is called ahead of every look: who measures books what it has.
void AddMetricOperations(MetricsOperations& operations, monitor::Metrics& metrics, const Clock& clock,
                         std::function<void()> before_read);

}  // namespace espalier::api::metrics
