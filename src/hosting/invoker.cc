#include "hosting/invoker.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/uuid.h"

namespace espalier::hosting {

Invoker::Invoker(CaptureWriter& capture, EndpointLog& log, ModelCache& models, const Clock& clock)
    : capture_(capture),
      log_(log),
      models_(models),
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

Invoker::CaptureIds Invoker::CaptureOf(const PickedVariant& picked) const {
    const LiveEndpoint& fleet = *picked.fleet;
    if (fleet.capture == nullptr || !fleet.capture->share.Takes(picked.point.capture)) return {};
    return {.event_id = NewUuid(), .time = clock_.WallMillis()};
}

InvokeReply Invoker::Invoke(const PickedVariant& picked, const InvokeRequest& request) {
    const CaptureIds capture = CaptureOf(picked);
    InvokeReply answer = Answer(*picked.fleet, *picked.variant, picked.served(), request, capture);
    MirrorToShadows(picked, answer.model_latency_us, request, capture);
    return answer;
}

void Invoker::MirrorToShadows(const PickedVariant& picked, std::uint64_t given_latency_us, const InvokeRequest& request,
                              const CaptureIds& capture) {
    for (const LiveShadow& shadow : picked.fleet->shadows)
        if (shadow.share.Takes(picked.point.mirror)) Mirror(picked, shadow, given_latency_us, request, capture);
}

InvokeReply Invoker::FailToLoad(const PickedVariant& picked, std::string_view target_model, const Error& error) {
    const int status = error.code() == ErrorCode::kResourceLimit ? 507 : 500;
    picked.variant->stats->Record(status, 0);
    std::string text = fmt::format("Unable to load model: {}", error.ToString());
    log_.Add(picked.fleet->scope, picked.fleet->name, picked.variant->name,
             fmt::format("POST /models {} ({}): {}", status, target_model, text));
    return {.reply = {.status = status, .content_type = "text/html; charset=utf-8", .body = std::move(text)}};
}

InvokeReply Invoker::Answer(const LiveEndpoint& endpoint, const LiveVariant& variant, const ServedModel& served,
                            const InvokeRequest& request, const CaptureIds& capture) {
    const auto begin = std::chrono::steady_clock::now();
    ContainerReply reply = Infer(served, request.content_type, request.accept, request.body);
    const auto took = std::chrono::steady_clock::now() - begin;
    const auto took_us = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(took).count());
    InvokeReply answer{.reply = std::move(reply), .model_latency_us = took_us};
    Note(endpoint, variant, request, capture, answer);
    return answer;
}

void Invoker::Note(const LiveEndpoint& endpoint, const LiveVariant& variant, const InvokeRequest& request,
                   const CaptureIds& capture, const InvokeReply& answer) {
    const ContainerReply& reply = answer.reply;
    variant.stats->Record(reply.status, answer.model_latency_us);
    if (reply.status >= 300)
        log_.Add(endpoint.scope, endpoint.name, variant.name,
                 fmt::format("POST /invocations {} ({} bytes of {}): {}", reply.status, request.body.size(),
                             request.content_type, reply.body));
    if (capture.event_id.empty()) return;
    const std::string_view input = endpoint.capture->input ? request.body : std::string_view();
    const std::string_view output = endpoint.capture->output ? std::string_view(reply.body) : std::string_view();
    if (!capture_.HasRoomFor(input.size() + output.size())) return;
    capture_.Add({.plan = endpoint.capture,
                  .key_prefix = variant.capture_prefix,
                  .time = capture.time,
                  .inference_id = std::string(request.inference_id),
                  .event_id = capture.event_id,
                  .input_content_type = std::string(request.content_type),
                  .input = std::string(input),
                  .output_content_type = std::string(reply.content_type),
                  .output = std::string(output)});
}

void Invoker::AnswerMirrored(const PickedVariant& picked, const LiveShadow& shadow, const Copy& copy,
                             const CaptureIds& capture, std::uint64_t given_latency_us) {
    const LiveVariant& variant = *shadow.variant;
    Target target;
    if (variant.models != nullptr) {
        Result<Target> loaded = models_.Await(variant.models, copy.target_model);
        if (!loaded) return variant.stats->RecordRefused();
        target = *std::move(loaded);
    }
    const ServedModel& served = target != nullptr ? *target : variant.served;
    const InvokeRequest mirrored{.content_type = copy.content_type,
                                 .accept = copy.accept,
                                 .inference_id = copy.inference_id,
                                 .body = copy.body,
                                 .target_model = copy.target_model};
    const InvokeReply answer = Answer(*picked.fleet, variant, served, mirrored, capture);
    ShadowDifference difference{.time = clock_.WallMillis(),
                                .inference_id = copy.inference_id,
                                .production_variant = picked.variant->name,
                                .production_latency_us = given_latency_us,
                                .shadow_latency_us = answer.model_latency_us};
    CompareMargins(picked.served(), served, copy.content_type, copy.body, difference);
    shadow.differences->Record(std::move(difference));
}

void Invoker::Mirror(const PickedVariant& picked, const LiveShadow& shadow, std::uint64_t given_latency_us,
                     const InvokeRequest& request, const CaptureIds& capture) {
    const std::size_t size = request.body.size();
    if (mirrored_bytes_.fetch_add(size, std::memory_order_relaxed) + size > kMirroredBytesMax) {
        mirrored_bytes_.fetch_sub(size, std::memory_order_relaxed);
        num_mirrors_dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    auto copy = std::make_shared<const Copy>(Copy{.content_type = std::string(request.content_type),
                                                  .accept = std::string(request.accept),
                                                  .inference_id = std::string(request.inference_id),
                                                  .body = std::string(request.body),
                                                  .target_model = std::string(request.target_model)});
    const bool queued = mirror_pool_.TrySubmit([this, picked, shadow, copy, capture, given_latency_us] {
        AnswerMirrored(picked, shadow, *copy, capture, given_latency_us);
        mirrored_bytes_.fetch_sub(copy->body.size(), std::memory_order_relaxed);
    });
    if (!queued) {
        mirrored_bytes_.fetch_sub(size, std::memory_order_relaxed);
        num_mirrors_dropped_.fetch_add(1, std::memory_order_relaxed);
    }
}

}  // namespace espalier::hosting
