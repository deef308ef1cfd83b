// The span of one API request: continues the caller's trace or begins one, and ends with the answer.
//
// A caller that says "not sampled" is heard. Names are those of operations, which are few: "SageMaker.CreateModel",
// "InvokeEndpoint", "S3 GET"; what differs from request to request is an attribute. Source: W3C Trace Context;
// OpenTelemetry semantic conventions for HTTP and for the AWS SDK. Confined to one request.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/span.h"
#include "http/exchange.h"

namespace espalier::api {

/// "SageMaker.CreateModel", "InvokeEndpoint", "S3 GET": what the request asks for, as logs and spans name it. Never the
/// caller's own text, but for operations by target, which are cut to 64 printable characters.
std::string OperationName(const http::RequestHead& head, bool is_s3);

/// The traceparent of the request this thread works on, for what it makes; "" when it is not recorded.
std::string CurrentTraceParent();

class RequestTrace {
  public:
    /// nullptr when the caller does not want it recorded. `sink` is borrowed.
    static std::unique_ptr<RequestTrace> Begin(const http::RequestHead& head, std::string operation,
                                               std::string_view request_id, SpanSink& sink);

    const ActiveTrace& active() const { return active_; }
    /// Hands the span on. Once.
    void End(int status);

  private:
    RequestTrace(ActiveTrace active, Span span) : active_(std::move(active)), span_(std::move(span)) {}
    ActiveTrace active_;
    Span span_;
};

}  // namespace espalier::api
