// STS and IAM, as much as clients of SageMaker need: GetCallerIdentity, GetRole, SimulatePrincipalPolicy.
//
// The query protocol (api/query_protocol.h). Espalier has no roles of its own: every role name exists and everything is
// allowed to whoever holds a key of this server. Thread-safe: keeps nothing. Source: contracts/api.md 2.8, section 4.
#pragma once

#include <memory>
#include <string>

#include "api/error_answer.h"
#include "api/service.h"

namespace espalier::api {

/// At most so many parameters are read; more is an error.
inline constexpr std::size_t kQueryParametersMax = 1000;
/// Pairs of action and resource in one SimulatePrincipalPolicy.
inline constexpr std::size_t kSimulationsMax = 1000;

class IamService final : public Service {
  public:
    /// The form is small and nothing blocks, so it is answered on the I/O thread.
    http::BodyPlan Plan(const http::RequestHead&) override {
        return {.mode = http::BodyPlan::kBuffered, .max_body_bytes = 256 * 1024};
    }
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;
};

}  // namespace espalier::api
