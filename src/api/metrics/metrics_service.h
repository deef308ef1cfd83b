// CloudWatch on the wire: metrics and alarms, in the three protocols that clients of today speak.
//
// json 1.0 (botocore), smithy's rpc-v2-cbor (the SDKs for Go, JavaScript, Java) and the query protocol (older clients);
// the two others are turned into the JSON document the operation is, and its answer back. Errors carry their code in
// x-amzn-query-error too, because CloudWatch was a query service. Requests are held against the published shapes;
// bodies may be gzip, as botocore sends large PutMetricData. Thread-safe. Source: contracts/api.md 1.4, 1.5, 3.11;
// tests/wire/metrics.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "api/json_protocol.h"
#include "api/query_protocol.h"
#include "api/sagemaker/service_model.h"
#include "api/service.h"
#include "meta/scope.h"

namespace espalier::api::metrics {

/// Parameters in one form of the query protocol: a PutMetricData with all that fits into a body.
inline constexpr std::size_t kFormParametersMax = 40'000;

inline constexpr JsonProtocol kMetricsProtocol = {.target_prefix = "GraniteServiceVersion20100801",
                                                  .content_type = "application/x-amz-json-1.0",
                                                  .query_compatible = true};

/// One operation: its request satisfies the published shape.
using MetricsHandler = std::function<Outcome(const nlohmann::json& request, const meta::Scope& scope)>;
using MetricsOperations = std::map<std::string, MetricsHandler, std::less<>>;

class MetricsService final : public Service {
  public:
    explicit MetricsService(MetricsOperations operations);

    http::BodyPlan Plan(const http::RequestHead&) override { return kJsonBodyPlan; }
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;

    /// The answer to one operation. Public for tests.
    Outcome Answer(std::string_view operation, nlohmann::json request, const meta::Scope& scope) const;

  private:
    void HandleQuery(http::Exchange& exchange, const meta::Scope& scope, const std::string& request_id) const;
    Outcome AnswerQuery(const QueryForm& form, const meta::Scope& scope) const;
    Outcome AnswerCbor(std::string_view operation, std::string_view body, const meta::Scope& scope) const;

    const sagemaker::ServiceModel model_;
    const MetricsOperations operations_;
};

}  // namespace espalier::api::metrics
