// The metrics of endpoints as CloudWatch has them: namespace AWS/SageMaker, dimensions EndpointName and VariantName.
//
//   Invocations, Invocation4XXErrors, Invocation5XXErrors, InvocationModelErrors   one value (0 or 1) a request, no
//   unit ModelLatency                                                                   microseconds in the model
// Source: contracts/api.md 3.11 (SageMaker developer guide, "Monitor with Amazon CloudWatch"). Thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "hosting/endpoint_service.h"
#include "meta/scope.h"

namespace espalier::api::metrics {

inline constexpr std::string_view kEndpointNamespace = "AWS/SageMaker";

/// The values of one minute, aggregated.
struct MetricMinute {
    UnixMillis begin = 0;
    double sum = 0;
    double minimum = 0;
    double maximum = 0;
    std::int64_t count = 0;
};

/// "Microseconds" or "None".
std::string_view UnitOfEndpointMetric(std::string_view metric);

/// Minutes that begin in [begin, end); empty for another metric, endpoint, variant or set of dimensions.
std::vector<MetricMinute> EndpointMetric(const hosting::EndpointService& hosting, const meta::Scope& scope,
                                         std::string_view metric, const std::map<std::string, std::string>& dimensions,
                                         UnixMillis begin, UnixMillis end);

}  // namespace espalier::api::metrics
