#include "api/runtime/streamed_answer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "api/runtime/event_stream.h"
#include "api/runtime/model_answer.h"

namespace espalier::api::runtime {
namespace {

using std::chrono::steady_clock;

std::string ModelStreamError(std::string_view code, std::string_view message) {
    std::string event;
    AppendException(event, "ModelStreamError", nlohmann::json({{"ErrorCode", code}, {"Message", message}}).dump());
    return event;
}

}  // namespace

StreamedAnswer::StreamedAnswer(hosting::EndpointService& hosting, std::shared_ptr<http::Exchange> exchange,
                               Principal principal, const hosting::PickedVariant& picked,
                               const hosting::InvokeRequest& request, const ActiveTrace* trace,
                               std::chrono::milliseconds time_max)
    : exchange_(std::move(exchange)),
      principal_(std::move(principal)),
      picked_(picked),
      trace_(trace == nullptr ? std::nullopt : std::optional(*trace)),
      time_max_(time_max),
      invocation_(hosting.invoker(), picked_, request) {}

void StreamedAnswer::Begin(hosting::EndpointService& hosting, std::shared_ptr<http::Exchange> exchange,
                           Principal principal, const hosting::PickedVariant& picked,
                           const hosting::InvokeRequest& request, const ActiveTrace* trace,
                           std::chrono::milliseconds time_max) {
    const std::shared_ptr<StreamedAnswer> answer(
        new StreamedAnswer(hosting, std::move(exchange), std::move(principal), picked, request, trace, time_max));
    answer->Run(answer->begun_at_);
}

void StreamedAnswer::Run(steady_clock::time_point begin) {
    const Step step = WriteParts();
    picked_.variant->line->Leave(std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin));
    if (step == Step::kLent) return;  // another thread may be at it by now
    if (trace_) TraceInvocation(*trace_, begun_at_, picked_, invocation_.status(), invocation_.model_latency_us());
    if (step == Step::kWhole) stream_->End();
    if (step == Step::kRefused) SendModelError(*exchange_, principal_, picked_.fleet->name, *refusal_);
}

StreamedAnswer::Step StreamedAnswer::WriteParts() {
    while (!invocation_.done()) {
        std::string part = NextPart();
        if (refusal_) return Step::kRefused;
        switch (stream_->Write(std::move(part), [self = shared_from_this()] { self->Resume(); })) {
            case http::ResponseStream::Taken::kAll:
                break;
            case http::ResponseStream::Taken::kLater:
                return Step::kLent;
            case http::ResponseStream::Taken::kGone:
                return Step::kGone;
        }
    }
    return Step::kWhole;
}

std::string StreamedAnswer::NextPart() {
    // Before the first part there is no stream that could say so.
    if (stream_ != nullptr && steady_clock::now() - begun_at_ > time_max_) {
        constexpr std::string_view kTooSlow = "The response was not taken within the time that an answer may last.";
        invocation_.Fail(std::string(kTooSlow));
        return ModelStreamError("ModelInvocationTimeExceeded", kTooSlow);
    }
    hosting::ContainerReply reply = invocation_.Next();
    if (stream_ != nullptr && reply.status >= 300) return ModelStreamError("StreamBroken", reply.body);
    if (stream_ == nullptr) {
        BookOverhead(exchange_->head(), *picked_.variant, invocation_.model_latency_us());
        if (reply.status >= 300) {
            refusal_ = std::move(reply);
            return {};
        }
        BeginStream(reply.content_type);
    }
    std::string events;
    AppendPayloadParts(events, reply.body);
    return events;
}

void StreamedAnswer::BeginStream(std::string_view content_type) {
    http::Response head;
    head.headers.Add("Content-Type", std::string(kEventStreamType));
    if (!content_type.empty()) head.headers.Add("X-Amzn-SageMaker-Content-Type", std::string(content_type));
    AddAnswerHeaders(head.headers, *picked_.variant,
                     exchange_->head().headers.Get("X-Amzn-SageMaker-Custom-Attributes"));
    stream_ = exchange_->BeginStream(std::move(head));
}

void StreamedAnswer::Resume() {
    picked_.variant->line->Enter(hosting::VariantLine::Kind::kContinued,
                                 [self = shared_from_this()] { return [self] { self->Run(steady_clock::now()); }; });
}

}  // namespace espalier::api::runtime
