#include "api/runtime/runtime_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "api/runtime/async_invocation.h"
#include "api/runtime/model_answer.h"
#include "api/runtime/streamed_answer.h"
#include "api/telemetry/request_trace.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/log_context.h"
#include "meta/arn.h"

namespace espalier::api::runtime {
namespace {

constexpr std::string_view kPathPrefix = "/endpoints/";
constexpr std::string_view kAsyncAction = "async-invocations";
constexpr std::string_view kStreamAction = "invocations-response-stream";
constexpr std::size_t kInferenceIdBytesMax = 64;
constexpr std::size_t kTargetModelBytesMax = 1024;
constexpr std::string_view kTargetModelHeader = "X-Amzn-SageMaker-Target-Model";

void SendValidationError(http::Exchange& exchange, std::string message) {
    SendJson(exchange, 400, "ValidationError", {{"Message", std::move(message)}});
}

/// The rest of the path behind the endpoint's name, and the name in `name`; "" when the path has another form.
std::string_view SplitPath(std::string_view path, std::string_view& name) {
    if (!path.starts_with(kPathPrefix)) return "";
    path.remove_prefix(kPathPrefix.size());
    const std::size_t slash = path.find('/');
    if (slash == 0 || slash == std::string_view::npos) return "";
    name = path.substr(0, slash);
    return path.substr(slash + 1);
}

/// What a request may carry that asks for something this server does not have.
struct RefusedHeader {
    const char* name;
    const char* why;
};
constexpr RefusedHeader kRefusedHeaders[] = {
    {"X-Amzn-SageMaker-Target-Container-Hostname", "is not a multi-container endpoint"},
    {"X-Amzn-SageMaker-Inference-Component", "has no inference components"},
    {"X-Amzn-SageMaker-Enable-Explanations", "has no explainer"},
    {"X-Amzn-SageMaker-Session-Id", "does not support stateful sessions"},
};

/// True when the request was answered with a refusal.
bool RefuseHeaders(http::Exchange& exchange, const http::Headers& headers, std::string_view endpoint_name) {
    for (const RefusedHeader& refused : kRefusedHeaders) {
        if (!headers.Has(refused.name)) continue;
        SendValidationError(exchange, fmt::format("Endpoint {} {} and does not support the header {}.", endpoint_name,
                                                  refused.why, refused.name));
        return true;
    }
    if (headers.Get("X-Amzn-SageMaker-Inference-Id").size() > kInferenceIdBytesMax) {
        SendValidationError(exchange,
                            fmt::format("1 validation error detected: Value at 'inferenceId' failed to satisfy "
                                        "constraint: Member must have length less than or equal to {}",
                                        kInferenceIdBytesMax));
        return true;
    }
    return false;
}

/// The name in a request to a multi-model endpoint, "" when there is none. As SDKs list the archives of a prefix that
/// ends without a slash, names may begin with one.
std::string_view TargetModelOf(const http::Headers& headers) {
    const std::string_view name = headers.Get(kTargetModelHeader);
    return name.substr(std::min(name.find_first_not_of('/'), name.size()));
}

hosting::InvokeRequest RequestOf(const http::Exchange& exchange, const hosting::PickedVariant& picked,
                                 std::string_view accept_header) {
    const http::Headers& headers = exchange.head().headers;
    return {.content_type = headers.Get("Content-Type"),
            .accept = headers.Get(accept_header),
            .inference_id = headers.Get("X-Amzn-SageMaker-Inference-Id"),
            .body = exchange.body(),
            .target_model = picked.target != nullptr ? TargetModelOf(headers) : ""};
}

/// Empty, or why a name is none of an archive below a multi-model endpoint's prefix.
std::string TargetModelIssue(std::string_view name) {
    if (name.size() > kTargetModelBytesMax)
        return fmt::format(
            "1 validation error detected: Value at 'targetModel' failed to satisfy constraint: Member "
            "must have length less than or equal to {}",
            kTargetModelBytesMax);
    std::string_view rest = name;
    while (true) {
        const std::string_view segment = rest.substr(0, rest.find('/'));
        if (segment == "." || segment == "..")
            return fmt::format("Target model {} is not below the endpoint's prefix: \"{}\" cannot be part of its path.",
                               name, segment);
        if (segment.size() == rest.size()) return {};
        rest.remove_prefix(segment.size() + 1);
    }
}

/// True when the request was answered with a refusal: it must name a target model exactly when there are several.
bool RefuseTargetModel(http::Exchange& exchange, const hosting::PickedVariant& picked, std::string_view request_id) {
    const bool is_multi_model = picked.variant->models != nullptr;
    if (!is_multi_model && !exchange.head().headers.Has(kTargetModelHeader)) return false;
    if (!is_multi_model) {
        picked.variant->stats->RecordRefused();
        SendJson(exchange, 400, "ValidationError",
                 {{"ErrorCode", "TARGET_MODEL_HEADER_NOT_SUPPORTED"},
                  {"Message", fmt::format("Endpoint {} is not a multi-model endpoint and does not support target model "
                                          "header.",
                                          picked.fleet->name)}});
        return true;
    }
    const std::string_view target = TargetModelOf(exchange.head().headers);
    std::string issue = TargetModelIssue(target);
    if (target.empty())
        issue = fmt::format("Request {} is missing a target model header, and endpoint {} is a multi-model endpoint.",
                            request_id, picked.fleet->name);
    if (issue.empty()) return false;
    picked.variant->stats->RecordRefused();
    SendValidationError(exchange, std::move(issue));
    return true;
}

/// 429: so many wait already that one more would wait too long.
void SendThrottled(http::Exchange& exchange, const hosting::LiveVariant& variant, std::string_view endpoint_name) {
    constexpr std::int64_t kRetryMillisMax = 5000;
    variant.stats->RecordRefused();
    const std::int64_t wait_ms = std::min<std::int64_t>(variant.line->WaitingTime().count(), kRetryMillisMax);
    http::Response response{.status = 429, .headers = {}, .body = {}};
    response.headers.Add("Content-Type", "application/json");
    response.headers.Add("x-amzn-ErrorType", "ThrottlingException");
    response.headers.Add("Retry-After", std::to_string((wait_ms + 999) / 1000));
    response.headers.Add("x-amz-retry-after", std::to_string(wait_ms));
    response.body = fmt::format(
        R"({{"Message":"Rate exceeded: variant {} of endpoint {} has as many requests as it takes at once."}})",
        variant.name, endpoint_name);
    exchange.Send(std::move(response));
}

/// 429 of a multi-model endpoint: the model is not in memory, and to wait for it would take too long.
void SendNotReady(http::Exchange& exchange, const hosting::LiveVariant& variant, std::string_view target,
                  std::string_view why) {
    variant.stats->RecordRefused();
    SendJson(exchange, 429, "ModelNotReadyException",
             {{"Message", fmt::format("Model {} is not ready for inference: {}. Try again.", target, why)}});
}

void SendPrediction(http::Exchange& exchange, const hosting::LiveVariant& variant, hosting::ContainerReply reply,
                    std::string_view custom_attributes) {
    http::Response response{.status = reply.status, .headers = {}, .body = std::move(reply.body)};
    if (!reply.content_type.empty()) response.headers.Add("Content-Type", std::string(reply.content_type));
    AddAnswerHeaders(response.headers, variant, custom_attributes);
    exchange.Send(std::move(response));
}

}  // namespace

http::BodyPlan RuntimeService::Plan(const http::RequestHead& head) {
    if (head.raw_path().ends_with(kAsyncAction))
        return {.mode = http::BodyPlan::kWorker, .max_body_bytes = kAsyncBodyBytesMax};
    const bool small = head.content_length.value_or(kInlineBodyBytesMax + 1) <= kInlineBodyBytesMax;
    return {.mode = small ? http::BodyPlan::kBuffered : http::BodyPlan::kWorker,
            .max_body_bytes = limits_.body_bytes_max};
}

void RuntimeService::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) {
    const http::RequestHead& head = exchange->head();
    std::string_view raw_name;
    const std::string_view action = SplitPath(head.raw_path(), raw_name);
    const std::optional<std::string> name = PercentDecode(raw_name);
    if (head.method != "POST" || action.empty() || !name) {
        return SendJson(*exchange, 404, "UnknownOperationException",
                        {{"Message", "There is no such operation of SageMaker Runtime."}});
    }
    if (action == "invocations" || action == kStreamAction) return Invoke(exchange, principal, *name, request_id);
    if (action == kAsyncAction) return InvokeAsync(*exchange, principal, *name);
    SendJson(*exchange, 404, "UnknownOperationException",
             {{"Message", "There is no such operation of SageMaker Runtime."}});
}

std::shared_ptr<const hosting::LiveEndpoint> RuntimeService::FindEndpoint(http::Exchange& exchange,
                                                                          const Principal& principal,
                                                                          const std::string& endpoint_name) {
    std::shared_ptr<const hosting::LiveEndpoint> endpoint =
        hosting_.FindLive(principal.account_id, principal.region, endpoint_name);
    if (endpoint == nullptr) {
        SendValidationError(exchange,
                            fmt::format("Endpoint {} of account {} not found.", endpoint_name, principal.account_id));
    } else if (RefuseHeaders(exchange, exchange.head().headers, endpoint_name)) {
        return nullptr;
    }
    return endpoint;
}

void RuntimeService::InvokeAsync(http::Exchange& exchange, const Principal& principal,
                                 const std::string& endpoint_name) {
    const std::shared_ptr<const hosting::LiveEndpoint> endpoint = FindEndpoint(exchange, principal, endpoint_name);
    if (endpoint == nullptr) return;
    if (endpoint->async == nullptr)
        return SendValidationError(exchange, fmt::format("Endpoint {} does not support InvokeEndpointAsync: its "
                                                         "configuration has no AsyncInferenceConfig.",
                                                         endpoint_name));
    Result<hosting::AsyncInvocation> invocation = ReadAsyncInvocation(exchange.head().headers, exchange.body());
    if (!invocation) return SendValidationError(exchange, invocation.error().message());
    invocation->trace_parent = CurrentTraceParent();
    const Result<hosting::AsyncAccepted> accepted = hosting_.async().Accept(*endpoint, *std::move(invocation));
    if (!accepted && accepted.error().code() == ErrorCode::kInvalidArgument)
        return SendValidationError(exchange, accepted.error().ToString());
    if (!accepted) {
        LOG_ERROR("an asynchronous request was not accepted", {"endpoint", endpoint_name},
                  {"error", accepted.error().ToString()});
        const bool busy = accepted.error().code() == ErrorCode::kUnavailable;
        return SendJson(exchange, busy ? 503 : 500, busy ? "ServiceUnavailable" : "InternalFailure",
                        {{"Message", busy ? accepted.error().message() : "The request could not be stored."}});
    }
    http::Response response{.status = 202, .headers = {}, .body = {}};
    response.headers.Add("Content-Type", "application/json");
    response.headers.Add("X-Amzn-SageMaker-OutputLocation", accepted->output_location);
    if (!accepted->failure_location.empty())
        response.headers.Add("X-Amzn-SageMaker-FailureLocation", accepted->failure_location);
    response.body = nlohmann::json({{"InferenceId", accepted->inference_id}}).dump();
    exchange.Send(std::move(response));
}

void RuntimeService::Invoke(const std::shared_ptr<http::Exchange>& exchange, const Principal& principal,
                            const std::string& endpoint_name, const std::string& request_id) {
    const std::shared_ptr<const hosting::LiveEndpoint> endpoint = FindEndpoint(*exchange, principal, endpoint_name);
    if (endpoint == nullptr) return;
    if (endpoint->async != nullptr)
        return SendValidationError(*exchange, fmt::format("Endpoint {} does not support InvokeEndpoint: it is an "
                                                          "asynchronous endpoint; call InvokeEndpointAsync.",
                                                          endpoint_name));
    const http::Headers& headers = exchange->head().headers;
    const std::string_view target = headers.Get("X-Amzn-SageMaker-Target-Variant");
    const hosting::PickedVariant picked = hosting::Invoker::Pick(endpoint, target);
    switch (picked.outcome) {
        case hosting::PickedVariant::Outcome::kUnknownVariant:
            return SendValidationError(*exchange,
                                       fmt::format("Variant {} of endpoint {} not found.", target, endpoint_name));
        case hosting::PickedVariant::Outcome::kNoTraffic:
            return SendValidationError(
                *exchange, fmt::format("No variant of endpoint {} takes traffic: every weight is 0.", endpoint_name));
        case hosting::PickedVariant::Outcome::kPicked:
            break;
    }
    if (RefuseTargetModel(*exchange, picked, request_id)) return;
    if (picked.variant->models != nullptr) return InvokeTarget(exchange, principal, picked);
    EnterLine(exchange, principal, picked);
}

void RuntimeService::InvokeTarget(const std::shared_ptr<http::Exchange>& exchange, const Principal& principal,
                                  hosting::PickedVariant picked) {
    const std::string target(TargetModelOf(exchange->head().headers));
    const std::shared_ptr<hosting::ModelSet> models = picked.variant->models;
    picked.target = hosting_.models().Find(*models, target);
    if (picked.target != nullptr) return EnterLine(exchange, principal, picked);
    const bool waits = hosting_.models().Load(
        models, target,
        [this, self = shared_from_this(), exchange, principal, picked, target](const Result<hosting::Target>& model) {
            if (!model) return SendLoadFailure(*exchange, principal, picked, target, model.error());
            hosting::PickedVariant ready = picked;
            ready.target = *model;
            EnterLine(exchange, principal, ready);
        });
    if (!waits)
        SendNotReady(*exchange, *picked.variant, target, "as many requests as may wait for models to be loaded do");
}

void RuntimeService::SendLoadFailure(http::Exchange& exchange, const Principal& principal,
                                     const hosting::PickedVariant& picked, const std::string& target,
                                     const Error& error) {
    if (error.code() == ErrorCode::kUnavailable)
        return SendNotReady(exchange, *picked.variant, target, error.message());
    if (error.code() == ErrorCode::kNotFound) {
        const store::S3Location place = picked.variant->models->source().prefix.Join(target);
        picked.variant->stats->RecordRefused();
        return SendValidationError(
            exchange, fmt::format("Failed to download model data(bucket: {}, key: {}). Please ensure that there is an "
                                  "object located at the URL and that the role passed to CreateModel has permissions "
                                  "to download the model.",
                                  place.bucket, place.key));
    }
    const hosting::InvokeReply answer = hosting_.FailToLoad(picked, target, error);
    BookOverhead(exchange.head(), *picked.variant, answer.model_latency_us);
    SendModelError(exchange, principal, picked.fleet->name, answer.reply);
}

void RuntimeService::EnterLine(const std::shared_ptr<http::Exchange>& exchange, const Principal& principal,
                               const hosting::PickedVariant& picked) {
    using Entry = hosting::VariantLine::Entry;
    const ActiveTrace* trace = CurrentTrace();
    const Entry entry = picked.variant->line->Enter(hosting::VariantLine::Kind::kAttended, [&] {
        // The request's own is gone when its turn comes.
        const auto kept = trace == nullptr ? nullptr : std::make_shared<const ActiveTrace>(*trace);
        return [this, self = shared_from_this(), exchange, principal, picked, kept] {
            Answer(exchange, principal, picked, kept.get());
        };
    });
    if (entry == Entry::kFull) return SendThrottled(*exchange, *picked.variant, picked.fleet->name);
    if (entry == Entry::kRun) Answer(exchange, principal, picked, trace);
}

void RuntimeService::Answer(const std::shared_ptr<http::Exchange>& exchange, const Principal& principal,
                            const hosting::PickedVariant& picked, const ActiveTrace* trace) {
    if (exchange->head().raw_path().ends_with(kStreamAction))
        return StreamedAnswer::Begin(hosting_, exchange, principal, picked,
                                     RequestOf(*exchange, picked, "X-Amzn-SageMaker-Accept"), trace,
                                     limits_.stream_time_max);
    AnswerWhole(*exchange, principal, picked, trace);
}

void RuntimeService::AnswerWhole(http::Exchange& exchange, const Principal& principal,
                                 const hosting::PickedVariant& picked, const ActiveTrace* trace) {
    const auto begin = std::chrono::steady_clock::now();
    hosting::InvokeReply answer = hosting_.Invoke(picked, RequestOf(exchange, picked, "Accept"));
    picked.variant->line->Leave(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin));
    BookOverhead(exchange.head(), *picked.variant, answer.model_latency_us);
    if (trace != nullptr) TraceInvocation(*trace, begin, picked, answer.reply.status, answer.model_latency_us);
    if (answer.reply.status >= 300) return SendModelError(exchange, principal, picked.fleet->name, answer.reply);
    SendPrediction(exchange, *picked.variant, std::move(answer.reply),
                   exchange.head().headers.Get("X-Amzn-SageMaker-Custom-Attributes"));
}

}  // namespace espalier::api::runtime
