// SageMaker Runtime on the wire (rest-json): InvokeEndpoint.
//
// POST /endpoints/{name}/invocations with the payload as the body, everything else in headers. Handled on the I/O
// thread from a buffered body, without a lock that a writer holds, without disk or SQL; large payloads go to a worker
// so that other connections of that thread do not wait. Answers of the model that are no 2xx become ModelError (424).
// Source: contracts/api.md 2.7; botocore's sagemaker-runtime model. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "api/service.h"
#include "hosting/endpoint_service.h"
#include "http/exchange.h"

namespace espalier::api::runtime {

class RuntimeService final : public Service {
  public:
    /// The limit the published model states; AWS raises it now and then, so it is a setting.
    static constexpr std::size_t kDefaultBodyBytesMax = 6 * 1024 * 1024;
    /// Payloads above this are decoded on a worker: about 2 ms of work.
    static constexpr std::size_t kInlineBodyBytesMax = 1 << 20;

    /// `hosting` is borrowed. The front door refuses larger payloads than body_bytes_max with 413.
    explicit RuntimeService(hosting::EndpointService& hosting, std::size_t body_bytes_max = kDefaultBodyBytesMax)
        : hosting_(hosting), body_bytes_max_(body_bytes_max) {}

    http::BodyPlan Plan(const http::RequestHead& head) override;
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;

  private:
    void Invoke(http::Exchange& exchange, const Principal& principal, std::string_view endpoint_name);

    hosting::EndpointService& hosting_;
    const std::size_t body_bytes_max_;
};

}  // namespace espalier::api::runtime
