// What is known of an endpoint's variants beside each other: how shadows differ, and which variant is the better one.
//
// A JSON document (docs/guide.md, "Comparing variants"). Sums and percentiles come out of the metrics, so they survive
// a restart; the list of single requests is of this process. The sequential test (confidence_sequence.h) looks at two
// signals: ModelErrors, the share of requests the model did not answer, lower is better; and Outcome, what clients put
// as metric Espalier/Endpoints Outcome, values in [0, 1], higher is better. It counts from the newest variant's start
// on, by the minute, and as far back as metrics are kept. Thread-safe.
#pragma once

#include <string>

#include "base/result.h"
#include "hosting/endpoint_service.h"
#include "meta/scope.h"
#include "monitor/metrics.h"

namespace espalier::hosting {

inline constexpr double kComparisonAlpha = 0.05;

/// kNotFound.
Result<std::string> ComparisonReport(EndpointService& service, monitor::Metrics& metrics, const meta::Scope& scope,
                                     const std::string& endpoint, UnixMillis now);

}  // namespace espalier::hosting
