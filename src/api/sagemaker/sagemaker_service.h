// The SageMaker control plane on the wire: json 1.1 in, validation, one handler of the operation table, json 1.1 out.
//
// Life of a request: target -> operation name -> body parsed -> validated against the published shape -> Create calls
// pass the replay memory -> handler -> answer. Thread-safe; runs on the worker pool (BodyPlan::kWorker).
#pragma once

#include <memory>

#include "api/json_protocol.h"
#include "api/sagemaker/operations.h"
#include "api/sagemaker/replay.h"
#include "api/sagemaker/service_model.h"
#include "api/service.h"
#include "http/exchange.h"

namespace espalier::api::sagemaker {

inline constexpr JsonProtocol kSageMakerProtocol = {.target_prefix = "SageMaker",
                                                    .content_type = "application/x-amz-json-1.1"};

class SageMakerService final : public Service {
  public:
    /// Takes the filled table. Each row must have a shape in the service model.
    explicit SageMakerService(OperationTable operations);

    http::BodyPlan Plan(const http::RequestHead&) override { return kJsonBodyPlan; }
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;

  private:
    void Dispatch(std::string_view operation, std::string_view body, const RequestContext& context, const Reply& reply);

    ServiceModel model_;
    OperationTable operations_;
    ReplayMemory replay_;
};

}  // namespace espalier::api::sagemaker
