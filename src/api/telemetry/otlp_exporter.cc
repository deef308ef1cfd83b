#include "api/telemetry/otlp_exporter.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"

namespace espalier::api {
namespace {

using Json = nlohmann::json;

Json TextAttribute(const std::string& key, const std::string& value) {
    return {{"key", key}, {"value", {{"stringValue", value}}}};
}

/// 64-bit integers are decimal strings in the JSON mapping.
Json NumberAttribute(const std::string& key, std::int64_t value) {
    return {{"key", key}, {"value", {{"intValue", std::to_string(value)}}}};
}

int KindNumber(Span::Kind kind) {
    switch (kind) {
        case Span::Kind::kInternal:
            return 1;
        case Span::Kind::kServer:
            return 2;
        case Span::Kind::kConsumer:
            return 5;
    }
    return 0;
}

Json SpanJson(const Span& span) {
    constexpr int kStatusError = 2;
    Json json = {{"traceId", span.context.trace_id},
                 {"spanId", span.context.span_id},
                 {"name", span.name},
                 {"kind", KindNumber(span.kind)},
                 {"startTimeUnixNano", std::to_string(span.begin)},
                 {"endTimeUnixNano", std::to_string(span.end)},
                 {"attributes", Json::array()},
                 {"status", Json::object()}};
    if (!span.parent_id.empty()) json["parentSpanId"] = span.parent_id;
    if (!span.context.state.empty()) json["traceState"] = span.context.state;
    for (const auto& [key, value] : span.texts) json["attributes"].push_back(TextAttribute(key, value));
    for (const auto& [key, value] : span.numbers) json["attributes"].push_back(NumberAttribute(key, value));
    if (span.failed) json["status"] = {{"code", kStatusError}, {"message", span.message}};
    return json;
}

}  // namespace

std::string OtlpJson(std::span<const Span> spans) {
    Json list = Json::array();
    for (const Span& span : spans) list.push_back(SpanJson(span));
    const Json resource = {{"attributes", Json::array({TextAttribute("service.name", "espalier"),
                                                       TextAttribute("service.version", "0.1.0")})}};
    const Json scope = {{"scope", {{"name", "espalier"}}}, {"spans", std::move(list)}};
    const Json body = {
        {"resourceSpans", Json::array({{{"resource", resource}, {"scopeSpans", Json::array({scope})}}})}};
    return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::unique_ptr<OtlpExporter>> OtlpExporter::Start(const std::string& endpoint) {
    http::HttpUrl url = TRY_MSG(http::HttpUrl::Parse(endpoint), "the endpoint for traces");
    url.path = (url.path == "/" ? "" : url.path) + "/v1/traces";
    return std::unique_ptr<OtlpExporter>(new OtlpExporter(std::move(url)));
}

OtlpExporter::OtlpExporter(http::HttpUrl url) : url_(std::move(url)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

OtlpExporter::~OtlpExporter() {
    thread_ = std::jthread();
    for (std::vector<Span> batch = TakeBatch(); !batch.empty() && Send(batch, kLastTimeout); batch = TakeBatch()) {
    }
}

void OtlpExporter::Add(Span span) {
    bool is_batch = false;
    {
        std::lock_guard lock(mutex_);
        if (queue_.size() >= kQueuedSpansMax) {
            num_dropped_.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        queue_.push_back(std::move(span));
        is_batch = queue_.size() == kBatchSpans;
    }
    if (is_batch) wake_.notify_one();
}

std::vector<Span> OtlpExporter::TakeBatch() {
    std::lock_guard lock(mutex_);
    const std::size_t size = std::min(queue_.size(), kBatchSpans);
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(size);
    std::vector<Span> batch(std::move_iterator(queue_.begin()), std::move_iterator(end));
    queue_.erase(queue_.begin(), end);
    return batch;
}

bool OtlpExporter::Send(const std::vector<Span>& batch, std::chrono::milliseconds timeout) {
    const Result<int> status = http::Post(url_, "application/json", OtlpJson(batch), timeout);
    const bool taken = status && *status / 100 == 2;
    (taken ? num_exported_ : num_dropped_).fetch_add(batch.size(), std::memory_order_relaxed);
    if (taken != was_taken_) {
        if (taken)
            LOG_INFO("traces are exported again", {"dropped_so_far", num_dropped()});
        else
            LOG_WARN("traces are dropped: the collector does not take them", {"host", url_.host}, {"port", url_.port},
                     {"why", status ? "status " + std::to_string(*status) : status.error().ToString()});
    }
    was_taken_ = taken;
    return taken;
}

void OtlpExporter::Run(const std::stop_token& stop) {
    std::chrono::milliseconds pause = kInterval;
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            const bool waits_for_collector = pause > kInterval;
            wake_.wait_for(lock, stop, pause, [&] { return !waits_for_collector && queue_.size() >= kBatchSpans; });
        }
        bool taken = true;
        while (taken) {
            const std::vector<Span> batch = TakeBatch();
            if (batch.empty()) break;
            taken = Send(batch, kTimeout);
        }
        pause = taken ? kInterval : std::min(2 * pause, kPauseMax);
    }
}

}  // namespace espalier::api
