// What probes and Prometheus ask of the server, without a signature: /healthz, /readyz, /metrics.
//
// /healthz answers 200 while the process answers at all; /readyz 503 once it drains; /metrics counts answers by service
// and class of status in Prometheus' text format 0.0.4. Only requests without any signature mean these pages: a signed
// GET /metrics is a bucket of that name. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"

namespace espalier::api {

class HealthPages {
  public:
    static constexpr std::size_t kServices = 9;
    static constexpr std::size_t kClasses = 6;

    /// `service` is an index of kServiceNames in health_pages.cc, which follows ServiceId; others count as none.
    void CountAnswer(std::size_t service, int status);
    void StopBeingReady() { ready_ = false; }
    /// More of /metrics, in its format, asked for at each look. Before the first request.
    void AddSeries(std::function<std::string()> series) { more_series_.push_back(std::move(series)); }

    /// True for the path of one of the pages.
    static bool IsPage(std::string_view path);
    http::Response Answer(std::string_view path) const;

  private:
    std::string MetricsText() const;

    std::atomic<bool> ready_{true};
    std::array<std::array<std::atomic<std::uint64_t>, kClasses>, kServices> answers_{};
    std::vector<std::function<std::string()>> more_series_;
};

}  // namespace espalier::api
