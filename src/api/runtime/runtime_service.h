// SageMaker Runtime on the wire (rest-json): InvokeEndpoint, InvokeEndpointWithResponseStream and InvokeEndpointAsync.
//
// POST /endpoints/{name}/async-invocations is answered 202 once the request is on disk (hosting/async_queue.h).
// POST /endpoints/{name}/invocations with the payload as the body, everything else in headers. Handled on the I/O
// thread from a buffered body, without a lock that a writer holds, without disk or SQL; large payloads go to a worker
// so that other connections of that thread do not wait. Where more come than the variant's instances take, the request
// waits in its line or is refused with 429 ThrottlingException and the time to come again (hosting/variant_line.h).
// A target model that is not in memory is loaded first, while the request waits beside the line
// (hosting/model_cache.h).
// POST /endpoints/{name}/invocations-response-stream is the same up to the answer, which is given in parts
// (streamed_answer.h).
// Answers of the model that are no 2xx become ModelError (424). Source: contracts/api.md 2.7; botocore's
// sagemaker-runtime model. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "api/service.h"
#include "base/span.h"
#include "hosting/endpoint_service.h"
#include "http/exchange.h"

namespace espalier::api::runtime {

class RuntimeService final : public Service, public std::enable_shared_from_this<RuntimeService> {
  public:
    /// The limit the published model states; AWS raises it now and then, so it is a setting.
    static constexpr std::size_t kDefaultBodyBytesMax = 6 * 1024 * 1024;
    /// Payloads above this are decoded on a worker: about 2 ms of work.
    static constexpr std::size_t kInlineBodyBytesMax = 1 << 20;

    struct Limits {
        std::size_t body_bytes_max = kDefaultBodyBytesMax;   ///< the front door refuses larger payloads with 413
        std::chrono::milliseconds stream_time_max{480'000};  ///< for an answer in parts, first to last
    };
    /// `hosting` is borrowed. Requests that wait in its pools hold the service.
    static std::shared_ptr<RuntimeService> Create(hosting::EndpointService& hosting, const Limits& limits) {
        return std::shared_ptr<RuntimeService>(new RuntimeService(hosting, limits));
    }

    http::BodyPlan Plan(const http::RequestHead& head) override;
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;

  private:
    RuntimeService(hosting::EndpointService& hosting, const Limits& limits) : hosting_(hosting), limits_(limits) {}
    /// nullptr when the request was answered with a refusal.
    std::shared_ptr<const hosting::LiveEndpoint> FindEndpoint(http::Exchange& exchange, const Principal& principal,
                                                              const std::string& endpoint_name);
    /// Waits for the disk: on a worker.
    void InvokeAsync(http::Exchange& exchange, const Principal& principal, const std::string& endpoint_name);
    void Invoke(const std::shared_ptr<http::Exchange>& exchange, const Principal& principal,
                const std::string& endpoint_name, const std::string& request_id);
    /// Of a multi-model endpoint: on, when the target model is loaded.
    void InvokeTarget(const std::shared_ptr<http::Exchange>& exchange, const Principal& principal,
                      hosting::PickedVariant picked);
    void SendLoadFailure(http::Exchange& exchange, const Principal& principal, const hosting::PickedVariant& picked,
                         const std::string& target, const Error& error);
    void EnterLine(const std::shared_ptr<http::Exchange>& exchange, const Principal& principal,
                   const hosting::PickedVariant& picked);
    /// On the thread that read the request, or on one of hosting's pool when it had to wait. `trace` is nullptr for a
    /// request that is not recorded.
    void Answer(const std::shared_ptr<http::Exchange>& exchange, const Principal& principal,
                const hosting::PickedVariant& picked, const ActiveTrace* trace);
    void AnswerWhole(http::Exchange& exchange, const Principal& principal, const hosting::PickedVariant& picked,
                     const ActiveTrace* trace);

    hosting::EndpointService& hosting_;
    const Limits limits_;
};

}  // namespace espalier::api::runtime
