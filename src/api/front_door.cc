#include "api/front_door.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <utility>

#include "api/auth/canonical.h"
#include "api/error_answer.h"
#include "api/telemetry/request_trace.h"
#include "base/log.h"
#include "base/log_context.h"
#include "base/sha256_pair.h"

namespace espalier::api {
namespace {

constexpr std::string_view kReservedPrefix = "/_espalier/";

/// "s3" of "AWS4-HMAC-SHA256 Credential=AKID/20260131/us-east-1/s3/aws4_request, …"; "" if there is no scope. No
/// allocation: this runs on the invoke path.
std::string_view ServiceOfScope(std::string_view credential) {
    credential = credential.substr(0, credential.find(','));
    credential = credential.substr(0, credential.find(' '));
    std::size_t terminal = credential.rfind('/');
    if (terminal == std::string_view::npos || terminal == 0) return {};
    std::size_t slash = credential.rfind('/', terminal - 1);
    return slash == std::string_view::npos ? std::string_view() : credential.substr(slash + 1, terminal - slash - 1);
}

struct SignedFor {
    bool is_signed = false;
    std::string service;  // short enough for the small-string buffer in practice
};

SignedFor ReadScope(const http::RequestHead& head) {
    std::string_view authorization = head.headers.Get("Authorization");
    if (!authorization.empty()) {
        constexpr std::string_view kCredential = "Credential=";
        std::size_t begin = authorization.find(kCredential);
        // Signature V2 is S3's alone; whatever else stands there is for the authenticator to refuse.
        if (authorization.starts_with("AWS ")) return {.is_signed = true, .service = "s3"};
        if (begin == std::string_view::npos) return {.is_signed = true, .service = {}};
        return {true, std::string(ServiceOfScope(authorization.substr(begin + kCredential.size())))};
    }
    std::string_view query = head.raw_query();
    if (query.find("X-Amz-Credential=") != std::string_view::npos) {
        std::string credential = QueryValue(SplitQuery(query), "X-Amz-Credential").value_or("");
        return {true, std::string(ServiceOfScope(credential))};
    }
    if (query.find("AWSAccessKeyId=") != std::string_view::npos) return {.is_signed = true, .service = "s3"};
    return {};
}

/// /endpoints/NAME/invocations and its two kin.
bool IsInvocation(std::string_view path) {
    constexpr std::string_view kPrefix = "/endpoints/";
    if (!path.starts_with(kPrefix)) return false;
    path.remove_prefix(kPrefix.size());
    std::size_t slash = path.find('/');
    if (slash == 0 || slash == std::string_view::npos) return false;
    std::string_view action = path.substr(slash + 1);
    return action == "invocations" || action == "async-invocations" || action == "invocations-response-stream";
}

bool IsForm(const http::RequestHead& head) {
    constexpr std::string_view kForm = "application/x-www-form-urlencoded";
    std::string_view type = head.headers.Get("Content-Type");
    return type.size() >= kForm.size() && http::EqualsIgnoreCase(type.substr(0, kForm.size()), kForm);
}

/// "?Action=GetCallerIdentity&Version=2011-06-15": a presigned link of a query service.
bool HasActionQuery(const http::RequestHead& head) {
    std::vector<RawParameter> parameters = SplitQuery(head.raw_query());
    return QueryValue(parameters, "Action").has_value() && QueryValue(parameters, "Version").has_value();
}

WireProtocol ProtocolOf(Route route) {
    switch (route) {
        case Route::kS3:
        case Route::kHealth:
        case Route::kReserved:
            return WireProtocol::kRestXml;
        case Route::kSageMaker:
        case Route::kLogs:
        case Route::kMetrics:
        case Route::kScaling:
        case Route::kUnknownTarget:
            return WireProtocol::kJson;
        case Route::kConsole:
        case Route::kRuntime:
        case Route::kSageMakerOther:
            return WireProtocol::kRestJson;
        case Route::kIam:
        case Route::kMetricsQuery:
            return WireProtocol::kQuery;
    }
    return WireProtocol::kRestXml;
}

/// The signing name that a request of this route must carry; "" where the service itself looks.
std::string_view SigningName(Route route) {
    switch (route) {
        case Route::kS3:
            return "s3";
        case Route::kSageMaker:
        case Route::kRuntime:
        case Route::kConsole:
            return "sagemaker";
        case Route::kScaling:
            return "application-autoscaling";
        case Route::kLogs:
            return "logs";
        case Route::kMetrics:
        case Route::kMetricsQuery:
            return "monitoring";
        default:
            return {};
    }
}

/// Writes the last `num` hexadecimal digits of `value`.
void PutHex(std::uint64_t value, char* text, std::size_t num, std::string_view digits = "0123456789abcdef") {
    for (; num > 0; value >>= 4) text[--num] = digits[value & 15];
}

/// 128 bits that no two requests share: a process-wide random start and a count.
std::string NewRequestId(WireProtocol protocol) {
    static const std::uint64_t start = [] {
        std::random_device device;
        return static_cast<std::uint64_t>(device()) << 32 | device();
    }();
    static std::atomic<std::uint64_t> count = 0;
    // The finaliser of splitmix64, so that neighbours look unlike.
    std::uint64_t low = start + 0x9E3779B97F4A7C15 * ++count;
    low = (low ^ low >> 30) * 0xBF58476D1CE4E5B9;
    low = (low ^ low >> 27) * 0x94D049BB133111EB;
    low ^= low >> 31;
    if (protocol == WireProtocol::kRestXml) {
        std::string id(16, '0');
        PutHex(low, id.data(), 16, "0123456789ABCDEF");
        return id;
    }
    // A UUID of version 4. By hand: fmt's way to it is a twentieth of an invocation's instructions.
    std::string id = "00000000-0000-4000-8000-000000000000";
    char* text = id.data();
    PutHex(start, text, 8);
    PutHex(low >> 48, text + 9, 4);
    PutHex(low >> 36, text + 15, 3);
    PutHex(low >> 24, text + 20, 3);
    PutHex(start >> 40, text + 24, 6);
    PutHex(low, text + 30, 6);
    return id;
}

/// What is done with every answer, whoever gives it.
struct AnswerNotes {
    bool s3 = false;
    std::string request_id;
    std::shared_ptr<HealthPages> health;
    std::size_t service = 0;
    bool log_answers = false;  ///< all of them, not the 5xx alone
    std::unique_ptr<RequestTrace> trace = nullptr;
};

/// Ends the request's span with the last part of its answer.
class TracedStream final : public http::ResponseStream {
  public:
    TracedStream(std::unique_ptr<http::ResponseStream> inner, std::unique_ptr<RequestTrace> trace, int status)
        : inner_(std::move(inner)), trace_(std::move(trace)), status_(status) {}
    ~TracedStream() override { trace_->End(status_); }

    Taken Write(std::string part, std::function<void()> resume) override {
        return inner_->Write(std::move(part), std::move(resume));
    }
    void End() override { inner_->End(); }

  private:
    const std::unique_ptr<http::ResponseStream> inner_;
    const std::unique_ptr<RequestTrace> trace_;
    const int status_;
};

/// Adds the request id to the answer, counts it, ends its span, and logs it where it should be found again.
class IdentifiedExchange final : public http::Exchange {
  public:
    IdentifiedExchange(std::shared_ptr<http::Exchange> inner, AnswerNotes notes)
        : inner_(std::move(inner)), notes_(std::move(notes)) {}

    const http::RequestHead& head() const override { return inner_->head(); }
    http::BodyPlan::Mode mode() const override { return inner_->mode(); }
    std::string_view body() const override { return inner_->body(); }
    const ActiveTrace* trace() const { return notes_.trace == nullptr ? nullptr : &notes_.trace->active(); }
    bool body_too_large() const override { return inner_->body_too_large(); }
    Result<std::size_t> ReadBody(std::span<char> out) override { return inner_->ReadBody(out); }
    void Send(http::Response response) override {
        NoteWhole(response);
        inner_->Send(std::move(response));
    }
    Result<void> SendFile(http::Response response, int fd, std::uint64_t offset, std::uint64_t size_bytes) override {
        NoteWhole(response);
        return inner_->SendFile(std::move(response), fd, offset, size_bytes);
    }

    std::unique_ptr<http::ResponseStream> BeginStream(http::Response head) override {
        const int status = head.status;
        Note(head);
        std::unique_ptr<http::ResponseStream> stream = inner_->BeginStream(std::move(head));
        if (notes_.trace == nullptr) return stream;
        return std::make_unique<TracedStream>(std::move(stream), std::move(notes_.trace), status);
    }

  private:
    void NoteWhole(http::Response& response) {
        Note(response);
        if (notes_.trace != nullptr) notes_.trace->End(response.status);
    }

    void Note(http::Response& response) {
        notes_.health->CountAnswer(notes_.service, response.status);
        const std::string& request_id = notes_.request_id;
        if (notes_.s3) {
            if (!response.headers.Has("x-amz-request-id")) response.headers.Add("x-amz-request-id", request_id);
            if (!response.headers.Has("x-amz-id-2")) response.headers.Add("x-amz-id-2", request_id);
        } else if (!response.headers.Has("x-amzn-RequestId")) {
            response.headers.Add("x-amzn-RequestId", request_id);
        }
        if (notes_.log_answers || response.status >= 500) Log(response.status);
    }

    void Log(int status) const {
        const std::string operation = OperationName(head(), notes_.s3);
        const LogContext about{.request_id = notes_.request_id, .operation = operation, .trace = trace()};
        const ScopedLogContext context(about);
        const auto since = std::chrono::steady_clock::now() - head().received_at;
        const auto took_us = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
        if (status >= 500)
            LOG_ERROR("request failed", {"status", status}, {"took_us", took_us});
        else
            LOG_INFO("request answered", {"status", status}, {"took_us", took_us});
    }

    const std::shared_ptr<http::Exchange> inner_;
    AnswerNotes notes_;
};

/// What to say where no service is.
WireFault NobodyHome(Route route, const http::RequestHead& head) {
    switch (route) {
        case Route::kSageMaker:
        case Route::kLogs:
        case Route::kMetrics:
        case Route::kScaling:
        case Route::kUnknownTarget: {
            std::string_view target = head.headers.Get("X-Amz-Target");
            std::size_t dot = target.rfind('.');
            return {400, "UnknownOperationException",
                    fmt::format("The requested operation is not supported: {}",
                                dot == std::string_view::npos ? target : target.substr(dot + 1))};
        }
        case Route::kRuntime:
        case Route::kSageMakerOther:
            return {400, "UnknownOperationException",
                    fmt::format("The requested operation is not supported: {} {}", head.method, head.raw_path())};
        case Route::kIam:
        case Route::kMetricsQuery:
            return {400, "InvalidAction", "The requested action is not supported."};
        case Route::kConsole:
        case Route::kReserved:
            return {404, "NoSuchKey", "Nothing is at this reserved path."};
        case Route::kS3:
        case Route::kHealth:
            break;
    }
    return {501, "NotImplemented", "A header you provided implies functionality that is not implemented"};
}

}  // namespace

Route RouteOf(const http::RequestHead& head) {
    std::string_view path = head.raw_path();
    if (path.starts_with(kReservedPrefix)) {
        if (path.starts_with("/_espalier/endpoints/")) return Route::kConsole;
        bool reads = head.method == "GET" || head.method == "HEAD";
        return reads && path == "/_espalier/health" ? Route::kHealth : Route::kReserved;
    }
    SignedFor scope = ReadScope(head);
    const bool probes = !scope.is_signed && (head.method == "GET" || head.method == "HEAD");
    if (probes && HealthPages::IsPage(path)) return Route::kHealth;
    if (scope.service == "s3") return Route::kS3;
    if (auto target = head.headers.Find("X-Amz-Target"); target && head.method == "POST" && path == "/") {
        std::string_view prefix = target->substr(0, target->find('.'));
        if (prefix == "SageMaker") return Route::kSageMaker;
        if (prefix == "Logs_20140328") return Route::kLogs;
        if (prefix == "GraniteServiceVersion20100801") return Route::kMetrics;
        if (prefix == "AnyScaleFrontendService") return Route::kScaling;
        return Route::kUnknownTarget;
    }
    if (head.method == "POST" && path.starts_with("/service/GraniteServiceVersion20100801/operation/") &&
        head.headers.Has("smithy-protocol")) {
        return Route::kMetrics;
    }
    if (path == "/" && ((head.method == "POST" && IsForm(head)) || (head.method == "GET" && HasActionQuery(head)))) {
        return scope.service == "monitoring" ? Route::kMetricsQuery : Route::kIam;
    }
    if (scope.service == "sagemaker") return IsInvocation(path) ? Route::kRuntime : Route::kSageMakerOther;
    if (!scope.is_signed && head.method == "POST" && IsInvocation(path)) return Route::kRuntime;
    return Route::kS3;
}

Service* FrontDoor::Find(Route route) const {
    auto index = static_cast<std::size_t>(route);
    static_assert(kNumServices == HealthPages::kServices);
    static_assert(static_cast<std::size_t>(Route::kConsole) == static_cast<std::size_t>(ServiceId::kConsole) &&
                  static_cast<std::size_t>(Route::kS3) == static_cast<std::size_t>(ServiceId::kS3));
    return index < kNumServices ? services_[index] : nullptr;
}

http::BodyPlan FrontDoor::Plan(const http::RequestHead& head) {
    const Route route = RouteOf(head);
    // Its numbers are partly in the database.
    if (route == Route::kHealth && head.raw_path() == "/metrics")
        return {.mode = http::BodyPlan::kWorker, .max_body_bytes = 1 << 20};
    Service* service = Find(route);
    if (service == nullptr) return {.mode = http::BodyPlan::kBuffered, .max_body_bytes = 1 << 20};
    return service->Plan(head);
}

void FrontDoor::Handle(std::shared_ptr<http::Exchange> exchange) {
    HandleOne(std::move(exchange), nullptr);
}

void FrontDoor::HandleBoth(std::shared_ptr<http::Exchange> first, std::shared_ptr<http::Exchange> second) {
    // A short request is not to wait for the hash of a long one.
    const auto [shorter, longer] = std::minmax({first->body().size(), second->body().size()});
    const auto will_hash = [this](const http::Exchange& each) { return authenticator_.WillHashBody(each.head()); };
    if (longer / 2 > shorter || !will_hash(*first) || !will_hash(*second))
        return Handler::HandleBoth(std::move(first), std::move(second));
    const std::array<Sha256::Value, 2> hashes = Sha256OfBoth(first->body(), second->body());
    HandleOne(std::move(first), &hashes[0]);
    HandleOne(std::move(second), &hashes[1]);
}

void FrontDoor::HandleOne(std::shared_ptr<http::Exchange> exchange, const Sha256::Value* body_sha256) {
    const http::RequestHead& head = exchange->head();
    const Route route = RouteOf(head);
    const WireProtocol protocol = ProtocolOf(route);
    std::string request_id = NewRequestId(protocol);
    const bool s3 = protocol == WireProtocol::kRestXml;
    const bool is_probe = route == Route::kHealth;
    AnswerNotes notes{.s3 = s3,
                      .request_id = request_id,
                      .health = health_,
                      .service = static_cast<std::size_t>(route),
                      .log_answers = options_.log_answers && !is_probe};
    if (options_.spans != nullptr && !is_probe)
        notes.trace = RequestTrace::Begin(head, OperationName(head, s3), request_id, *options_.spans);
    auto identified = std::make_shared<IdentifiedExchange>(std::move(exchange), std::move(notes));
    auto refuse = [&](const WireFault& fault) {
        identified->Send(ErrorAnswer(protocol, fault, head.raw_path(), request_id));
    };
    if (route == Route::kHealth && HealthPages::IsPage(head.raw_path()))
        return identified->Send(health_->Answer(head.raw_path()));
    if (route == Route::kHealth) {
        http::Response healthy{.status = 200, .headers = {}, .body = "{\"status\":\"ok\"}\n"};
        healthy.headers.Add("Content-Type", "application/json");
        return identified->Send(std::move(healthy));
    }
    if (identified->body_too_large()) {
        return refuse({413, protocol == WireProtocol::kRestXml ? "EntityTooLarge" : "RequestEntityTooLargeException",
                       fmt::format("The request's body is larger than {} bytes, the most this operation takes.",
                                   Plan(head).max_body_bytes)});
    }
    std::optional<WholeBody> body;
    if (identified->mode() != http::BodyPlan::kStreamed) body = {.bytes = identified->body(), .sha256 = body_sha256};
    AuthResult result = authenticator_.Authenticate(head, body);
    if (auto* failure = std::get_if<AuthFailure>(&result)) return refuse(DescribeAuthFailure(protocol, *failure));
    auto& principal = std::get<Principal>(result);
    std::string_view expected = SigningName(route);
    if (options_.verify_scope && !expected.empty() && principal.service != expected) {
        return refuse(DescribeAuthFailure(
            protocol, {.fault = AuthFault::kMalformed,
                       .detail = fmt::format("Credential should be scoped to correct service: '{}'.", expected),
                       .access_key_id = {},
                       .in_query = false}));
    }
    Service* service = Find(route);
    if (service == nullptr) return refuse(NobodyHome(route, head));
    // Both outlive the call, which may hand its exchange on to another thread.
    const std::string operation = OperationName(head, s3);
    const std::string id = request_id;
    std::optional<ActiveTrace> trace;
    if (identified->trace() != nullptr) trace = *identified->trace();
    const LogContext about{.request_id = id, .operation = operation, .trace = trace ? &*trace : nullptr};
    const ScopedLogContext context(about);
    service->Handle(std::move(identified), std::move(principal), std::move(request_id));
}

}  // namespace espalier::api
