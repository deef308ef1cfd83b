// The one http::Handler of the server: tells the services apart on one port, checks who asks, hands the request on.
//
// Nouns: ServiceId, a service behind the door; FrontDoor.
// Steps: Route by target header, path, form and credential scope (contracts/api.md 1.4) -> Service::Plan -> signature
// -> scope names the routed service -> Service::Handle with an exchange that adds the request id header. `GET
// /_espalier/health` answers 200 without a signature, as do the pages of health_pages.h; everything else below
// /_espalier/ is reserved. Thread-safe after the last Mount.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/auth/authenticator.h"
#include "api/health_pages.h"
#include "api/service.h"
#include "base/span.h"
#include "http/exchange.h"

namespace espalier::api {

enum class ServiceId {
    kS3,
    kSageMaker,     ///< control plane
    kRuntime,       ///< InvokeEndpoint and its kin
    kLogs,          ///< CloudWatch Logs
    kMetrics,       ///< CloudWatch, json 1.0 and CBOR
    kIam,           ///< STS and IAM, the query protocol
    kScaling,       ///< Application Auto Scaling
    kMetricsQuery,  ///< CloudWatch, the query protocol
    kConsole,       ///< /_espalier/endpoints/
};
inline constexpr std::size_t kNumServices = 9;

/// What a request is, by its head alone.
enum class Route {
    kS3,
    kSageMaker,
    kRuntime,
    kLogs,
    kMetrics,
    kIam,
    kScaling,
    kMetricsQuery,
    kConsole,
    kUnknownTarget,   ///< an X-Amz-Target of no service here
    kSageMakerOther,  ///< signed for sagemaker, but no path of the runtime
    kHealth,
    kReserved,  ///< below /_espalier/
};

Route RouteOf(const http::RequestHead& head);

class FrontDoor final : public http::Handler {
  public:
    struct Options {
        bool verify_scope = true;   ///< false (open mode): a scope for another service is no error
        bool log_answers = false;   ///< a log line for every request, not only for those that fail here
        SpanSink* spans = nullptr;  ///< borrowed; nullptr: no request is traced, which costs nothing
    };
    /// `authenticator` must outlive it.
    FrontDoor(const Authenticator& authenticator, const Options& options)
        : authenticator_(authenticator), options_(options) {}

    /// Before the server starts. `service` must outlive the door. What is not mounted answers a clear error.
    void Mount(ServiceId id, Service& service) { services_[static_cast<std::size_t>(id)] = &service; }

    http::BodyPlan Plan(const http::RequestHead& head) override;
    void Handle(std::shared_ptr<http::Exchange> exchange) override;
    /// Hashes the two bodies side by side, which takes as long as one.
    void HandleBoth(std::shared_ptr<http::Exchange> first, std::shared_ptr<http::Exchange> second) override;

    /// More of /metrics. Before the server starts.
    void AddSeries(std::function<std::string()> series) { health_->AddSeries(std::move(series)); }
    /// /readyz answers 503 from now on.
    void StopBeingReady() { health_->StopBeingReady(); }

  private:
    Service* Find(Route route) const;
    /// `body_sha256`: nullptr where it is not known yet.
    void HandleOne(std::shared_ptr<http::Exchange> exchange, const Sha256::Value* body_sha256);

    const Authenticator& authenticator_;
    const Options options_;
    std::array<Service*, kNumServices> services_{};
    /// Shared with exchanges, which may outlive the door.
    const std::shared_ptr<HealthPages> health_ = std::make_shared<HealthPages>();
};

}  // namespace espalier::api
