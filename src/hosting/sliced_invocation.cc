#include "hosting/sliced_invocation.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace espalier::hosting {

using std::chrono::steady_clock;

SlicedInvocation::SlicedInvocation(Invoker& invoker, const PickedVariant& picked, const InvokeRequest& request)
    : invoker_(invoker),
      picked_(picked),
      request_(request),
      capture_(invoker.CaptureOf(picked)),
      keeps_output_(!capture_.event_id.empty() && picked.fleet->capture->output),
      begun_at_(steady_clock::now()),
      inference_(picked_.served(), request.content_type, request.accept, request.body),
      took_(steady_clock::now() - begun_at_) {}

SlicedInvocation::~SlicedInvocation() {
    if (booked_) return;
    picked_.variant->stats->Record(answer_.reply.status, answer_.model_latency_us);
    invoker_.log_.Add(picked_.fleet->scope, picked_.fleet->name, picked_.variant->name,
                      fmt::format("POST /invocations ({} bytes of {}): the client left before the end of the answer",
                                  request_.body.size(), request_.content_type));
}

ContainerReply SlicedInvocation::Next() {
    const auto begin = steady_clock::now();
    ContainerReply reply = inference_.Next();
    took_ += steady_clock::now() - begin;
    answer_.model_latency_us = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(took_).count());
    answer_.reply.status = reply.status;
    answer_.reply.content_type = reply.content_type;
    if (reply.status >= 300)
        answer_.reply.body = reply.body;
    else if (keeps_output_ && answer_.reply.body.size() <= CaptureWriter::kQueuedBytesMax)  // more is not captured
        answer_.reply.body += reply.body;
    if (inference_.done()) Book();
    return reply;
}

void SlicedInvocation::Fail(std::string message) {
    answer_.reply = {.status = 500, .content_type = "text/html; charset=utf-8", .body = std::move(message)};
    Book();
}

void SlicedInvocation::Book() {
    booked_ = true;
    invoker_.Note(*picked_.fleet, *picked_.variant, request_, capture_, answer_);
    invoker_.MirrorToShadows(picked_, answer_.model_latency_us, request_, capture_);
    answer_.reply.body = {};
}

}  // namespace espalier::hosting
