// What this server can tell that no AWS operation asks for, as JSON below /_espalier/ (docs/guide.md).
//
//   GET /_espalier/endpoints/{name}/comparison   hosting/comparison_report.h
// Requests are signed for the service "sagemaker", as those of the runtime are. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "api/service.h"
#include "base/clock.h"
#include "hosting/endpoint_service.h"
#include "monitor/metrics.h"

namespace espalier::api::console {

class ConsoleService final : public Service {
  public:
    /// All borrowed.
    ConsoleService(hosting::EndpointService& hosting, monitor::Metrics& metrics, const Clock& clock)
        : hosting_(hosting), metrics_(metrics), clock_(clock) {}

    http::BodyPlan Plan(const http::RequestHead&) override {
        return {.mode = http::BodyPlan::kWorker, .max_body_bytes = 0};
    }
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;

  private:
    hosting::EndpointService& hosting_;
    monitor::Metrics& metrics_;
    const Clock& clock_;
};

}  // namespace espalier::api::console
