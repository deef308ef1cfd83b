// Application Auto Scaling on the wire (json 1.1): scalable targets, target tracking and step policies,
// activities.
//
// Service namespace sagemaker and dimension sagemaker:variant:DesiredInstanceCount; others are refused by name. No
// CloudWatch alarms are made for a tracking policy: it looks at its metric itself (hosting/autoscaler.h); a step policy
// has those that name its ARN. Thread-safe.
// Source: the Application Auto Scaling API reference; contracts/api.md 1.5.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "api/json_protocol.h"
#include "api/sagemaker/service_model.h"
#include "api/service.h"
#include "hosting/autoscaler.h"
#include "meta/scope.h"

namespace espalier::api::scaling {

inline constexpr JsonProtocol kScalingProtocol = {.target_prefix = "AnyScaleFrontendService",
                                                  .content_type = "application/x-amz-json-1.1"};

class ScalingService final : public Service {
  public:
    /// `autoscaler` is borrowed.
    explicit ScalingService(hosting::Autoscaler& autoscaler);

    http::BodyPlan Plan(const http::RequestHead&) override { return kJsonBodyPlan; }
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;

  private:
    Outcome Answer(std::string_view operation, nlohmann::json request, const meta::Scope& scope) const;

    const sagemaker::ServiceModel model_;
    hosting::Autoscaler& autoscaler_;
};

}  // namespace espalier::api::scaling
