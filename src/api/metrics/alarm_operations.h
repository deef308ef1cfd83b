// The operations of CloudWatch on alarms: PutMetricAlarm, DescribeAlarms, DescribeAlarmsForMetric, SetAlarmState,
// DeleteAlarms, DescribeAlarmHistory. Metric alarms only. Thread-safe.
#pragma once

#include "api/metrics/metrics_service.h"
#include "monitor/alarm_service.h"

namespace espalier::api::metrics {

/// `alarms` is borrowed.
void AddAlarmOperations(MetricsOperations& operations, monitor::AlarmService& alarms);

}  // namespace espalier::api::metrics
