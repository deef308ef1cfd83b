// CloudWatch, the part that TrainingJobAnalytics needs and the traffic of endpoints: GetMetricStatistics (json 1.0, as
// botocore speaks it). Errors carry their code in x-amzn-query-error too, because CloudWatch was a query
// service.
//
// Namespace /aws/sagemaker/TrainingJobs, dimension TrainingJobName; namespace AWS/SageMaker as endpoint_metrics.h says.
// Anything else has no data, as in CloudWatch. A data
// point aggregates one period that starts at a multiple of it; StartTime is rounded down to a period, so that a job of
// two seconds falls into one point. Thread-safe. Source: contracts/api.md 3.11; tests/wire/metrics.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "api/json_protocol.h"
#include "api/service.h"
#include "hosting/endpoint_service.h"
#include "meta/metrics.h"
#include "meta/scope.h"

namespace espalier::api::metrics {

inline constexpr JsonProtocol kMetricsProtocol = {.target_prefix = "GraniteServiceVersion20100801",
                                                  .content_type = "application/x-amz-json-1.0",
                                                  .query_compatible = true};
inline constexpr std::int64_t kDatapointsMax = 1440;  // CloudWatch's limit of one call

class MetricsService final : public Service {
  public:
    /// Both are borrowed.
    MetricsService(meta::TrainingMetrics& metrics, const hosting::EndpointService& hosting)
        : metrics_(metrics), hosting_(hosting) {}

    http::BodyPlan Plan(const http::RequestHead&) override { return kJsonBodyPlan; }
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;

    /// The answer to GetMetricStatistics. Public for tests.
    Outcome GetMetricStatistics(const nlohmann::json& request, const meta::Scope& scope);

  private:
    meta::TrainingMetrics& metrics_;
    const hosting::EndpointService& hosting_;
};

}  // namespace espalier::api::metrics
