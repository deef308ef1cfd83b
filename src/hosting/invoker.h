// One invocation of an endpoint from end to end: pick the variant, infer, count, mirror, capture. Answers that are made
// in slices are sliced_invocation.h.
//
// The invoke path takes no lock that a writer holds, touches no disk and no SQL. Mirrored copies go to shadow variants
// through a bounded queue and one worker; their answers are counted, captured and compared with the given one
// (shadow_stats.h), and thrown away. Limits: kMirroredBytesMax and kMirroredRequestsMax wait at most; more are dropped
// and counted. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "hosting/capture_writer.h"
#include "hosting/endpoint_log.h"
#include "hosting/live_endpoint.h"

namespace espalier::hosting {

struct InvokeRequest {
    std::string_view content_type;
    std::string_view accept;
    std::string_view inference_id;
    std::string_view body;
    std::string_view target_model = {};  ///< of a multi-model endpoint
};

/// Who is to answer a request.
struct PickedVariant {
    enum class Outcome {
        kPicked,
        kUnknownVariant,  ///< target_variant names none
        kNoTraffic,       ///< every weight is 0
    };
    Outcome outcome = Outcome::kPicked;
    std::shared_ptr<const LiveEndpoint> fleet;  ///< keeps `variant` alive
    const LiveVariant* variant = nullptr;       ///< kPicked only
    TrafficPoint point = {};
    Target target = nullptr;  ///< set by the caller before a multi-model variant is invoked

    const ServedModel& served() const { return target != nullptr ? *target : variant->served; }
};

struct InvokeReply {
    ContainerReply reply;
    std::uint64_t model_latency_us = 0;
};

class SlicedInvocation;

class Invoker {
  public:
    static constexpr std::size_t kMirroredBytesMax = 64 << 20;
    static constexpr std::size_t kMirroredRequestsMax = 4096;

    /// Borrowed.
    Invoker(CaptureWriter& capture, EndpointLog& log, ModelCache& models, const Clock& clock);

    /// Draws the variant for a request. Every request is picked for once.
    static PickedVariant Pick(const std::shared_ptr<const LiveEndpoint>& endpoint, std::string_view target_variant);
    /// The answer of a variant that was picked.
    InvokeReply Invoke(const PickedVariant& picked, const InvokeRequest& request);
    /// What the container of a multi-model variant answers when its target model cannot be loaded: 507 when there is
    /// no memory for it, else 500. Counted and logged as an answer.
    InvokeReply FailToLoad(const PickedVariant& picked, std::string_view target_model, const Error& error);

    std::uint64_t num_mirrors_dropped() const { return num_mirrors_dropped_.load(); }
    /// Answers the mirrored requests that wait, then takes no more.
    void Stop() { mirror_pool_.Stop(); }

  private:
    friend class SlicedInvocation;
    struct CaptureIds {
        std::string event_id;  ///< "" = this request is not captured
        UnixMillis time = 0;
    };
    InvokeReply Answer(const LiveEndpoint& endpoint, const LiveVariant& variant, const ServedModel& served,
                       const InvokeRequest& request, const CaptureIds& capture);
    /// What a mirrored request says, kept while it waits.
    struct Copy {
        std::string content_type;
        std::string accept;
        std::string inference_id;
        std::string body;
        std::string target_model;
    };
    CaptureIds CaptureOf(const PickedVariant& picked) const;
    /// Counts, logs and captures an answer.
    void Note(const LiveEndpoint& endpoint, const LiveVariant& variant, const InvokeRequest& request,
              const CaptureIds& capture, const InvokeReply& answer);
    void MirrorToShadows(const PickedVariant& picked, std::uint64_t given_latency_us, const InvokeRequest& request,
                         const CaptureIds& capture);
    void AnswerMirrored(const PickedVariant& picked, const LiveShadow& shadow, const Copy& copy,
                        const CaptureIds& capture, std::uint64_t given_latency_us);
    void Mirror(const PickedVariant& picked, const LiveShadow& shadow, std::uint64_t given_latency_us,
                const InvokeRequest& request, const CaptureIds& capture);

    CaptureWriter& capture_;
    EndpointLog& log_;
    ModelCache& models_;
    const Clock& clock_;
    std::atomic<std::size_t> mirrored_bytes_{0};
    std::atomic<std::uint64_t> num_mirrors_dropped_{0};
    ThreadPool mirror_pool_;
};

}  // namespace espalier::hosting
