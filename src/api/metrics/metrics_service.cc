#include "api/metrics/metrics_service.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "api/error_answer.h"
#include "api/metrics/cbor_document.h"
#include "api/metrics/query_document.h"
#include "api/sagemaker/validation.h"
#include "base/check.h"
#include "base/gzip.h"

namespace espalier::api::metrics {
namespace {

using nlohmann::json;

constexpr std::string_view kCborPath = "/service/GraniteServiceVersion20100801/operation/";
constexpr std::string_view kQueryVersion = "2010-08-01";
constexpr std::string_view kQueryNamespace = "http://monitoring.amazonaws.com/doc/2010-08-01/";
constexpr std::size_t kUnpackedBytesMax = 8 << 20;

/// The body as sent, or undone when it is gzip, then kept in `unpacked`.
std::variant<std::string_view, WireError> BodyOf(const http::Exchange& exchange, std::string& unpacked) {
    const std::string_view encoding = exchange.head().headers.Get("Content-Encoding");
    if (encoding.empty()) return exchange.body();
    if (encoding != "gzip")
        return WireError{.type = "UnsupportedOperation",
                         .message = fmt::format("Content-Encoding {} is not supported; gzip is.", encoding)};
    Result<std::string> inflated = GunzipText(exchange.body(), kUnpackedBytesMax);
    if (!inflated) return WireError{.type = "SerializationException", .message = inflated.error().ToString()};
    unpacked = std::move(*inflated);
    return std::string_view(unpacked);
}

std::optional<WireError> FindMissing(const sagemaker::Shape& shape, const json& request) {
    for (const sagemaker::Member& member : shape.members) {
        const auto found = request.find(member.name);
        if (!member.required || (found != request.end() && !found->is_null())) continue;
        return WireError{.type = "MissingParameter",
                         .message = fmt::format("The parameter {} is required.", member.name)};
    }
    return std::nullopt;
}

void SendCbor(http::Exchange& exchange, const Outcome& outcome) {
    http::Response response;
    response.headers.Add("smithy-protocol", "rpc-v2-cbor");
    response.headers.Add("Content-Type", "application/cbor");
    if (const WireError* error = outcome.error()) {
        response.status = error->status;
        response.headers.Add("x-amzn-query-error",
                             fmt::format("{};{}", error->type, error->status < 500 ? "Sender" : "Receiver"));
        response.body = ToCbor({{"__type", error->type}, {"message", error->message}});
    } else {
        response.body = ToCbor(outcome.body().empty() ? json::object() : json::parse(outcome.body()));
    }
    exchange.Send(std::move(response));
}

}  // namespace

MetricsService::MetricsService(MetricsOperations operations)
    : model_(sagemaker::ServiceModel::Load(sagemaker::kCloudWatchModelJson)), operations_(std::move(operations)) {
    for (const auto& [name, handler] : operations_)
        CHECK(model_.InputOf(name) != nullptr, "operation {} is missing in tools/generate_service_model.py", name);
}

void MetricsService::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) {
    const meta::Scope scope = {.account = principal.account_id, .region = principal.region};
    const std::string_view path = exchange->head().raw_path();
    const bool cbor = path.starts_with(kCborPath);
    if (!cbor && !exchange->head().headers.Has("X-Amz-Target")) return HandleQuery(*exchange, scope, request_id);
    std::string unpacked;
    const auto body = BodyOf(*exchange, unpacked);
    const auto answer = [&]() -> Outcome {
        if (const auto* error = std::get_if<WireError>(&body)) return Outcome::Fail(*error);
        const std::string_view bytes = std::get<std::string_view>(body);
        if (cbor) return AnswerCbor(path.substr(kCborPath.size()), bytes, scope);
        auto parsed = ParseJsonBody(bytes);
        if (const auto* error = std::get_if<WireError>(&parsed)) return Outcome::Fail(*error);
        return Answer(OperationOf(exchange->head(), kMetricsProtocol), std::move(std::get<json>(parsed)), scope);
    };
    if (cbor) return SendCbor(*exchange, answer());
    SendOutcome(*exchange, kMetricsProtocol, answer());
}

void MetricsService::HandleQuery(http::Exchange& exchange, const meta::Scope& scope,
                                 const std::string& request_id) const {
    const std::optional<QueryForm> form = ReadQueryForm(exchange, kFormParametersMax);
    const Outcome outcome =
        form ? AnswerQuery(*form, scope)
             : Outcome::Fail({.type = "MalformedQueryString", .message = "The request's form cannot be read."});
    if (const WireError* error = outcome.error()) {
        return exchange.Send(ErrorAnswer(WireProtocol::kQuery, {error->status, error->type, error->message},
                                         exchange.head().raw_path(), request_id));
    }
    std::optional<std::string> result;
    if (!outcome.body().empty()) result = ToQueryXml(json::parse(outcome.body()));
    exchange.Send(QueryAnswer(QueryEnvelope(QueryParameter(*form, "Action"), kQueryNamespace, result, request_id)));
}

Outcome MetricsService::AnswerQuery(const QueryForm& form, const meta::Scope& scope) const {
    const std::string_view action = QueryParameter(form, "Action");
    const sagemaker::Shape* shape = operations_.contains(action) ? model_.InputOf(action) : nullptr;
    if (shape == nullptr || QueryParameter(form, "Version") != kQueryVersion) {
        return Outcome::Fail({.type = "InvalidAction",
                              .message = fmt::format("Could not find operation {} for version {}", action,
                                                     QueryParameter(form, "Version"))});
    }
    auto read = FromQuery(*shape, form);
    if (auto* error = std::get_if<WireError>(&read)) return Outcome::Fail(std::move(*error));
    return Answer(action, std::move(std::get<json>(read)), scope);
}

Outcome MetricsService::AnswerCbor(std::string_view operation, std::string_view body, const meta::Scope& scope) const {
    std::optional<json> request = FromCbor(body);
    if (!request)
        return Outcome::Fail({.type = "SerializationException", .message = "The request body is no CBOR map."});
    return Answer(operation, std::move(*request), scope);
}

Outcome MetricsService::Answer(std::string_view operation, json request, const meta::Scope& scope) const {
    const auto found = operations_.find(operation);
    if (found == operations_.end()) {
        std::vector<std::string_view> known;
        for (const auto& each : operations_) known.push_back(each.first);
        return Outcome::Fail(
            {.type = "UnknownOperationException",
             .message = fmt::format("The requested operation is not supported: {}. This server has {}.", operation,
                                    fmt::join(known, ", "))});
    }
    const sagemaker::Shape& shape = *model_.InputOf(operation);
    if (const std::optional<WireError> missing = FindMissing(shape, request)) return Outcome::Fail(*missing);
    if (std::optional<WireError> error = sagemaker::Validate(shape, request)) {
        if (error->type == "ValidationException") error->type = "ValidationError";  // CloudWatch's name for it
        return Outcome::Fail(*std::move(error));
    }
    return found->second(request, scope);
}

}  // namespace espalier::api::metrics
