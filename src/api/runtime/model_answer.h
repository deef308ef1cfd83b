// What is said and noted about a model's answer, whole or in parts. Thread-safe: functions on one request.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "api/auth/principal.h"
#include "base/span.h"
#include "hosting/invoker.h"
#include "http/exchange.h"

namespace espalier::api::runtime {

/// A document with the name of its kind in x-amzn-ErrorType: every refusal.
void SendJson(http::Exchange& exchange, int status, std::string_view error_type, const nlohmann::json& body);

/// ModelError (424): the model's own answer was no 2xx.
void SendModelError(http::Exchange& exchange, const Principal& principal, std::string_view endpoint_name,
                    const hosting::ContainerReply& reply);

/// The headers of an answer that name who gave it.
void AddAnswerHeaders(http::Headers& headers, const hosting::LiveVariant& variant, std::string_view custom_attributes);

/// What this server added to the model's part, up to the answer or its first part.
void BookOverhead(const http::RequestHead& head, const hosting::LiveVariant& variant, std::uint64_t model_latency_us);

/// The model's part of a request, as a span inside the request's.
void TraceInvocation(const ActiveTrace& trace, std::chrono::steady_clock::time_point begin,
                     const hosting::PickedVariant& picked, int status, std::uint64_t model_latency_us);

}  // namespace espalier::api::runtime
