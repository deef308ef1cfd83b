#include "hosting/invoker.h"

#include <algorithm>

#include "base/uuid.h"

namespace espalier::hosting {

Invoker::Invoker(CaptureWriter& capture, const Clock& clock)
    : capture_(capture), clock_(clock), mirror_pool_({.num_threads = 1, .queued_tasks_max = kMirroredRequestsMax}) {}

InvokeReply Invoker::Invoke(const std::shared_ptr<const LiveEndpoint>& endpoint, const InvokeRequest& request) {
    const TrafficPoint point = endpoint->sequence->Next();
    const LiveVariant* variant = nullptr;
    if (!request.target_variant.empty()) {
        auto named = std::find_if(endpoint->production.begin(), endpoint->production.end(),
                                  [&](const LiveVariant& each) { return each.name == request.target_variant; });
        if (named == endpoint->production.end())
            return {.outcome = InvokeReply::Outcome::kUnknownVariant,
                    .variant = nullptr,
                    .reply = {},
                    .model_latency_us = 0};
        variant = &*named;
    } else {
        const std::optional<std::size_t> picked = endpoint->picker.Pick(point.pick);
        if (!picked)
            return {
                .outcome = InvokeReply::Outcome::kNoTraffic, .variant = nullptr, .reply = {}, .model_latency_us = 0};
        variant = &endpoint->production[*picked];
    }
    CaptureIds capture;
    if (endpoint->capture != nullptr && endpoint->capture->share.Takes(point.capture))
        capture = {.event_id = NewUuid(), .time = clock_.WallMillis()};
    for (const LiveShadow& shadow : endpoint->shadows)
        if (shadow.share.Takes(point.mirror)) Mirror(endpoint, shadow, request, capture);
    return Answer(*endpoint, *variant, request, capture);
}

InvokeReply Invoker::Answer(const LiveEndpoint& endpoint, const LiveVariant& variant, const InvokeRequest& request,
                            const CaptureIds& capture) {
    const auto begin = std::chrono::steady_clock::now();
    ContainerReply reply = Infer(variant.served, request.content_type, request.accept, request.body);
    const auto took = std::chrono::steady_clock::now() - begin;
    const auto took_us = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(took).count());
    variant.stats->Record(reply.status, took_us);
    if (!capture.event_id.empty()) {
        const bool input = endpoint.capture->input;
        const bool output = endpoint.capture->output;
        capture_.Add({.plan = endpoint.capture,
                      .key_prefix = variant.capture_prefix,
                      .time = capture.time,
                      .inference_id = std::string(request.inference_id),
                      .event_id = capture.event_id,
                      .input_content_type = std::string(request.content_type),
                      .input = input ? std::string(request.body) : std::string(),
                      .output_content_type = std::string(reply.content_type),
                      .output = output ? reply.body : std::string()});
    }
    return {.outcome = InvokeReply::Outcome::kAnswered,
            .variant = &variant,
            .reply = std::move(reply),
            .model_latency_us = took_us};
}

void Invoker::Mirror(const std::shared_ptr<const LiveEndpoint>& endpoint, const LiveShadow& shadow,
                     const InvokeRequest& request, const CaptureIds& capture) {
    const std::size_t size = request.body.size();
    if (mirrored_bytes_.fetch_add(size, std::memory_order_relaxed) + size > kMirroredBytesMax) {
        mirrored_bytes_.fetch_sub(size, std::memory_order_relaxed);
        num_mirrors_dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    struct Copy {
        std::string content_type;
        std::string accept;
        std::string inference_id;
        std::string body;
    };
    auto copy = std::make_shared<const Copy>(Copy{.content_type = std::string(request.content_type),
                                                  .accept = std::string(request.accept),
                                                  .inference_id = std::string(request.inference_id),
                                                  .body = std::string(request.body)});
    const bool queued = mirror_pool_.TrySubmit([this, endpoint, variant = shadow.variant, copy, capture] {
        const InvokeRequest mirrored{.content_type = copy->content_type,
                                     .accept = copy->accept,
                                     .target_variant = "",
                                     .inference_id = copy->inference_id,
                                     .body = copy->body};
        Answer(*endpoint, *variant, mirrored, capture);
        mirrored_bytes_.fetch_sub(copy->body.size(), std::memory_order_relaxed);
    });
    if (!queued) {
        mirrored_bytes_.fetch_sub(size, std::memory_order_relaxed);
        num_mirrors_dropped_.fetch_add(1, std::memory_order_relaxed);
    }
}

}  // namespace espalier::hosting
