#include "api/runtime/model_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "meta/arn.h"

namespace espalier::api::runtime {

void SendJson(http::Exchange& exchange, int status, std::string_view error_type, const nlohmann::json& body) {
    http::Response response{.status = status, .headers = {}, .body = {}};
    response.headers.Add("Content-Type", "application/json");
    response.headers.Add("x-amzn-ErrorType", std::string(error_type));
    response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    exchange.Send(std::move(response));
}

void SendModelError(http::Exchange& exchange, const Principal& principal, std::string_view endpoint_name,
                    const hosting::ContainerReply& reply) {
    const std::string_view side = reply.status >= 500 ? "server" : "client";
    const std::string_view region = principal.region;
    SendJson(exchange, 424, "ModelError",
             {{"ErrorCode", reply.status >= 500 ? "SERVER_ERROR_FROM_MODEL" : "CLIENT_ERROR_FROM_MODEL"},
              {"LogStreamArn", fmt::format("arn:{}:logs:{}:{}:log-group:/aws/sagemaker/Endpoints/{}",
                                           meta::PartitionOf(region), region, principal.account_id, endpoint_name)},
              {"Message",
               fmt::format("Received {} error ({}) from primary with message \"{}\". See "
                           "https://{}.console.aws.amazon.com/cloudwatch/home?region={}#logEventViewer:group=/aws/"
                           "sagemaker/Endpoints/{} in account {} for more information.",
                           side, reply.status, reply.body, region, region, endpoint_name, principal.account_id)},
              {"OriginalMessage", reply.body},
              {"OriginalStatusCode", reply.status}});
}

void AddAnswerHeaders(http::Headers& headers, const hosting::LiveVariant& variant, std::string_view custom_attributes) {
    headers.Add("x-Amzn-Invoked-Production-Variant", variant.name);
    if (!custom_attributes.empty()) headers.Add("X-Amzn-SageMaker-Custom-Attributes", std::string(custom_attributes));
}

void BookOverhead(const http::RequestHead& head, const hosting::LiveVariant& variant, std::uint64_t model_latency_us) {
    const auto since = std::chrono::steady_clock::now() - head.received_at;
    const auto took_us = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
    const auto model_us = static_cast<std::int64_t>(model_latency_us);
    variant.stats->RecordOverhead(static_cast<std::uint64_t>(std::max<std::int64_t>(took_us - model_us, 0)));
}

void TraceInvocation(const ActiveTrace& trace, std::chrono::steady_clock::time_point begin,
                     const hosting::PickedVariant& picked, int status, std::uint64_t model_latency_us) {
    Span span{.context = trace.context.Child(),
              .parent_id = trace.context.span_id,
              .name = "invocation",
              .begin = WallNanosAt(begin),
              .failed = status >= 300};
    span.end = span.begin + static_cast<UnixNanos>(model_latency_us) * 1000;
    if (span.failed) span.message = fmt::format("the model answered {}", status);
    span.texts = {{"aws.sagemaker.endpoint", picked.fleet->name}, {"aws.sagemaker.variant", picked.variant->name}};
    trace.sink->Add(std::move(span));
}

}  // namespace espalier::api::runtime
