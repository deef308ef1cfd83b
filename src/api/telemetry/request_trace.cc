#include "api/telemetry/request_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log_context.h"

namespace espalier::api {
namespace {

constexpr std::size_t kTargetBytesMax = 64;
constexpr std::size_t kPathBytesMax = 256;

/// What follows the last '/' of a runtime's path, as an operation.
std::string_view InvocationName(std::string_view path) {
    if (path.ends_with("/invocations")) return "InvokeEndpoint";
    if (path.ends_with("/async-invocations")) return "InvokeEndpointAsync";
    if (path.ends_with("/invocations-response-stream")) return "InvokeEndpointWithResponseStream";
    return "";
}

}  // namespace

std::string OperationName(const http::RequestHead& head, bool is_s3) {
    if (const auto target = head.headers.Find("X-Amz-Target")) {
        std::string name(target->substr(0, kTargetBytesMax));
        std::replace_if(
            name.begin(), name.end(), [](unsigned char c) { return c <= 0x20 || c >= 0x7F; }, '?');
        return name;
    }
    if (is_s3) return "S3 " + head.method;
    const std::string_view invocation = InvocationName(head.raw_path());
    return invocation.empty() ? "Query " + head.method : std::string(invocation);
}

std::string CurrentTraceParent() {
    const ActiveTrace* trace = CurrentTrace();
    return trace == nullptr ? "" : trace->context.ToText();
}

std::unique_ptr<RequestTrace> RequestTrace::Begin(const http::RequestHead& head, std::string operation,
                                                  std::string_view request_id, SpanSink& sink) {
    const std::optional<TraceContext> caller =
        ParseTraceParent(head.headers.Get("traceparent"), head.headers.Get("tracestate"));
    if (caller && !caller->sampled) return nullptr;
    const TraceContext own = caller ? caller->Child() : NewTrace();
    Span span{.context = own,
              .parent_id = caller ? caller->span_id : "",
              .name = std::move(operation),
              .kind = Span::Kind::kServer,
              .begin = WallNanosAt(head.received_at)};
    span.texts = {{"aws.request_id", std::string(request_id)},
                  {"http.request.method", head.method},
                  {"url.path", std::string(head.raw_path().substr(0, kPathBytesMax))}};
    return std::unique_ptr<RequestTrace>(new RequestTrace({.context = own, .sink = &sink}, std::move(span)));
}

void RequestTrace::End(int status) {
    span_.end = std::max(WallNanos(), span_.begin);
    span_.numbers.emplace_back("http.response.status_code", status);
    span_.failed = status >= 500;
    if (span_.failed) span_.message = fmt::format("answered {}", status);
    active_.sink->Add(std::move(span_));
}

}  // namespace espalier::api
