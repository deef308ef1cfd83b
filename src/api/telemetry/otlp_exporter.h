// Spans to a collector: OTLP over HTTP in its JSON form, POST <endpoint>/v1/traces.
//
// A thread of its own sends what has gathered, kBatchSpans at a time, about once a second. Add never waits: when
// kQueuedSpansMax are there, a span is dropped and counted, so a collector that is slow or away costs traces and
// nothing else. A batch that is not taken is dropped and counted too; then the next tries come later and later, up to
// kPauseMax apart. What is queued when the server ends is sent if the collector takes it within kLastTimeout.
// Source: OpenTelemetry Protocol specification 1.x (OTLP/HTTP, JSON mapping: ids in hex, times as decimal strings);
// opentelemetry-proto trace/v1. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/span.h"
#include "http/post.h"

namespace espalier::api {

/// The body of an ExportTraceServiceRequest.
std::string OtlpJson(std::span<const Span> spans);

class OtlpExporter final : public SpanSink {
  public:
    static constexpr std::size_t kQueuedSpansMax = 8192;
    static constexpr std::size_t kBatchSpans = 512;
    static constexpr std::chrono::milliseconds kInterval{1000};
    static constexpr std::chrono::milliseconds kTimeout{2000};
    static constexpr std::chrono::milliseconds kLastTimeout{1000};
    static constexpr std::chrono::milliseconds kPauseMax{30'000};

    /// `endpoint` is the collector's base URL, without "/v1/traces". kInvalidArgument for a URL that is none.
    static Result<std::unique_ptr<OtlpExporter>> Start(const std::string& endpoint);
    ~OtlpExporter() override;

    void Add(Span span) override;

    std::uint64_t num_exported() const { return num_exported_.load(); }
    std::uint64_t num_dropped() const { return num_dropped_.load(); }

  private:
    explicit OtlpExporter(http::HttpUrl url);
    void Run(const std::stop_token& stop);
    /// The next spans to send; empty when there are none.
    std::vector<Span> TakeBatch();
    /// True when the collector has taken them.
    bool Send(const std::vector<Span>& batch, std::chrono::milliseconds timeout);

    const http::HttpUrl url_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Span> queue_;  // guarded by mutex_
    std::atomic<std::uint64_t> num_exported_{0};
    std::atomic<std::uint64_t> num_dropped_{0};
    bool was_taken_ = true;  // confined to the thread
    std::jthread thread_;
};

}  // namespace espalier::api
