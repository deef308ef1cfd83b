#include "hosting/invoker.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/uuid.h"

namespace espalier::hosting {

Invoker::Invoker(CaptureWriter& capture, EndpointLog& log, const Clock& clock)
    : capture_(capture),
      log_(log),
      clock_(clock),
      mirror_pool_({.num_threads = 1, .queued_tasks_max = kMirroredRequestsMax}) {}

PickedVariant Invoker::Pick(const std::shared_ptr<const LiveEndpoint>& endpoint, std::string_view target_variant) {
    PickedVariant picked{.fleet = endpoint, .point = endpoint->sequence->Next()};
    if (endpoint->next != nullptr && endpoint->next_share.Takes(picked.point.fleet)) picked.fleet = endpoint->next;
    const std::vector<LiveVariant>& variants = picked.fleet->production;
    if (!target_variant.empty()) {
        const auto named = std::find_if(variants.begin(), variants.end(),
                                        [&](const LiveVariant& each) { return each.name == target_variant; });
        if (named == variants.end())
            picked.outcome = PickedVariant::Outcome::kUnknownVariant;
        else
            picked.variant = &*named;
        return picked;
    }
    const std::optional<std::size_t> index = picked.fleet->picker.Pick(picked.point.pick);
    if (!index)
        picked.outcome = PickedVariant::Outcome::kNoTraffic;
    else
        picked.variant = &variants[*index];
    return picked;
}

InvokeReply Invoker::Invoke(const PickedVariant& picked, const InvokeRequest& request) {
    const LiveEndpoint& fleet = *picked.fleet;
    CaptureIds capture;
    if (fleet.capture != nullptr && fleet.capture->share.Takes(picked.point.capture))
        capture = {.event_id = NewUuid(), .time = clock_.WallMillis()};
    InvokeReply answer = Answer(fleet, *picked.variant, request, capture);
    for (const LiveShadow& shadow : fleet.shadows)
        if (shadow.share.Takes(picked.point.mirror)) Mirror(picked, shadow, answer.model_latency_us, request, capture);
    return answer;
}

InvokeReply Invoker::Answer(const LiveEndpoint& endpoint, const LiveVariant& variant, const InvokeRequest& request,
                            const CaptureIds& capture) {
    const auto begin = std::chrono::steady_clock::now();
    ContainerReply reply = Infer(variant.served, request.content_type, request.accept, request.body);
    const auto took = std::chrono::steady_clock::now() - begin;
    const auto took_us = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(took).count());
    variant.stats->Record(reply.status, took_us);
    if (reply.status >= 300)
        log_.Add(endpoint.scope, endpoint.name, variant.name,
                 fmt::format("POST /invocations {} ({} bytes of {}): {}", reply.status, request.body.size(),
                             request.content_type, reply.body));
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
    return {.reply = std::move(reply), .model_latency_us = took_us};
}

void Invoker::Mirror(const PickedVariant& picked, const LiveShadow& shadow, std::uint64_t given_latency_us,
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
    const bool queued = mirror_pool_.TrySubmit([this, picked, shadow, copy, capture, given_latency_us] {
        const InvokeRequest mirrored{.content_type = copy->content_type,
                                     .accept = copy->accept,
                                     .inference_id = copy->inference_id,
                                     .body = copy->body};
        const InvokeReply answer = Answer(*picked.fleet, *shadow.variant, mirrored, capture);
        ShadowDifference difference{.time = clock_.WallMillis(),
                                    .inference_id = copy->inference_id,
                                    .production_variant = picked.variant->name,
                                    .production_latency_us = given_latency_us,
                                    .shadow_latency_us = answer.model_latency_us};
        CompareMargins(picked.variant->served, shadow.variant->served, copy->content_type, copy->body, difference);
        shadow.differences->Record(std::move(difference));
        mirrored_bytes_.fetch_sub(copy->body.size(), std::memory_order_relaxed);
    });
    if (!queued) {
        mirrored_bytes_.fetch_sub(size, std::memory_order_relaxed);
        num_mirrors_dropped_.fetch_add(1, std::memory_order_relaxed);
    }
}

}  // namespace espalier::hosting
