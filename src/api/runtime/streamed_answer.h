// The answer to InvokeEndpointWithResponseStream: the model's slices (hosting/sliced_invocation.h) as events
// (event_stream.h), made as the client takes them.
//
// Nobody waits for a slow client: while it has not taken a part, the answer holds no thread and no place in the
// variant's line, only the request, its rows and that part. What the model refuses is known before the first part and
// answered as InvokeEndpoint answers it. Later there are two ways to end badly, both named in the stream by
// ModelStreamError: StreamBroken when the model fails, ModelInvocationTimeExceeded when the client takes too long.
// (InternalStreamFailure has no cause here: what would be one breaks the connection.) Thread-compatible.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "api/auth/principal.h"
#include "base/span.h"
#include "hosting/endpoint_service.h"
#include "hosting/sliced_invocation.h"
#include "http/exchange.h"

namespace espalier::api::runtime {

class StreamedAnswer final : public std::enable_shared_from_this<StreamedAnswer> {
  public:
    /// Answers a request that was let into its variant's line, and leaves the line. The texts of `request` are the
    /// exchange's. `trace` is nullptr for one that is not recorded.
    static void Begin(hosting::EndpointService& hosting, std::shared_ptr<http::Exchange> exchange, Principal principal,
                      const hosting::PickedVariant& picked, const hosting::InvokeRequest& request,
                      const ActiveTrace* trace, std::chrono::milliseconds time_max);

  private:
    enum class Step {
        kLent,     ///< Resume will be called
        kWhole,    ///< everything was written
        kRefused,  ///< by the model, before the first part
        kGone,     ///< the client is
    };

    StreamedAnswer(hosting::EndpointService& hosting, std::shared_ptr<http::Exchange> exchange, Principal principal,
                   const hosting::PickedVariant& picked, const hosting::InvokeRequest& request,
                   const ActiveTrace* trace, std::chrono::milliseconds time_max);
    /// In a place of the line, taken at `begin`.
    void Run(std::chrono::steady_clock::time_point begin);
    Step WriteParts();
    /// The next slice as events; "" when the model refuses.
    std::string NextPart();
    void BeginStream(std::string_view content_type);
    void Resume();

    const std::shared_ptr<http::Exchange> exchange_;
    const Principal principal_;
    const hosting::PickedVariant picked_;
    const std::optional<ActiveTrace> trace_;
    const std::chrono::steady_clock::time_point begun_at_ = std::chrono::steady_clock::now();
    const std::chrono::milliseconds time_max_;
    hosting::SlicedInvocation invocation_;
    std::optional<hosting::ContainerReply> refusal_;
    std::unique_ptr<http::ResponseStream> stream_;  // nullptr before the first part
};

}  // namespace espalier::api::runtime
