// The traffic of a variant as CloudWatch has it: namespace AWS/SageMaker, dimensions EndpointName and VariantName.
//
//   Invocations, Invocation4XXErrors, Invocation5XXErrors, InvocationModelErrors   0 or 1 a request, no unit
//   InvocationsPerInstance       1 / the variant's instances a request, no unit; not of serverless variants
//   ModelLatency, OverheadLatency                              microseconds in the model, and beside it
// Of asynchronous endpoints the errors and ModelLatency, and
//   InvocationsProcessed, InvocationFailures, ExpiredRequests, RequestDownloadFailures, ResponseUploadFailures   counts
//   RequestDownloadLatency, ResponseUploadLatency   microseconds     TimeInBacklog, TotalProcessingTime   milliseconds
// with EndpointName alone ApproximateBacklogSize, ApproximateBacklogSizePerInstance, HasBacklogWithoutCapacity (counts)
// and ApproximateAgeOfOldestRequest (seconds), looked at while there is a backlog and kIdleGaugeMillis after the last
// look without one.
// Of multi-model variants also
//   ModelLoadingWaitTime   microseconds, a request that waited   ModelCacheHit   0 or 1 a request
//   ModelDownloadingTime, ModelLoadingTime   microseconds, a load   ModelUnloadingTime   a model that left memory
//   LoadedModelCount   in /aws/sagemaker/Endpoints, after each booking with traffic and once a minute
// How shadows differ, which AWS does not have, is in Espalier/Endpoints with the same dimensions:
//   ShadowRequests, ShadowIncomparable   1 a request   ShadowLabelFlips   0 or 1 a row
//   ShadowMarginDistance   a row   ShadowLatencyDifference   microseconds, a request
// Source: SageMaker developer guide, "Monitor with Amazon CloudWatch", "Multi-model endpoint metrics";
// contracts/api.md 3.11. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "hosting/async_queue.h"
#include "hosting/model_cache.h"
#include "hosting/shadow_stats.h"
#include "hosting/traffic_stats.h"
#include "meta/scope.h"
#include "monitor/metrics.h"

namespace espalier::hosting {

inline constexpr UnixMillis kIdleGaugeMillis = 15'000;
inline constexpr std::string_view kEndpointNamespace = "AWS/SageMaker";
inline constexpr std::string_view kInstanceNamespace = "/aws/sagemaker/Endpoints";
inline constexpr std::string_view kComparisonNamespace = "Espalier/Endpoints";

struct EndpointVariant {
    meta::Scope scope;
    std::string endpoint;
    std::string variant;  ///< "" = the endpoint as a whole
    int num_instances = 1;
    bool is_async = false;
};

/// The metric of that name for a variant, or for the endpoint.
monitor::MetricName EndpointMetric(const EndpointVariant& which, std::string_view metric);

/// Appends what `taken` says; nothing when there was no traffic.
void AppendEndpointMetrics(const EndpointVariant& which, const TrafficTaken& taken, UnixMillis now,
                           std::vector<monitor::MetricValues>& values);
void AppendAsyncMetrics(const EndpointVariant& which, const AsyncTaken& taken, UnixMillis now,
                        std::vector<monitor::MetricValues>& values);
/// `which` is the endpoint, with the instances of all its variants.
void AppendBacklogMetrics(const EndpointVariant& which, const Backlog& backlog, UnixMillis now,
                          std::vector<monitor::MetricValues>& values);
void AppendModelSetMetrics(const EndpointVariant& which, const ModelSetTaken& taken, UnixMillis now,
                           std::vector<monitor::MetricValues>& values);
void AppendShadowMetrics(const EndpointVariant& which, const ShadowStats::Taken& taken, UnixMillis now,
                         std::vector<monitor::MetricValues>& values);

}  // namespace espalier::hosting
