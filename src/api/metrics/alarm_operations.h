// The operations of CloudWatch on alarms: PutMetricAlarm, DescribeAlarms, DescribeAlarmsForMetric, SetAlarmState,
// DeleteAlarms, DescribeAlarmHistory. Metric alarms only. Thread-safe.
#pragma once

#include <string>

#include "api/metrics/metrics_service.h"
#include "meta/scope.h"
#include "monitor/alarm_service.h"

namespace espalier::api::metrics {

/// `alarms` is borrowed.
void AddAlarmOperations(MetricsOperations& operations, monitor::AlarmService& alarms);

std::string AlarmArn(const meta::Scope& scope, const std::string& name);

}  // namespace espalier::api::metrics
