#include "api/sagemaker/sagemaker_service.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/sagemaker/validation.h"
#include "base/check.h"

namespace espalier::api::sagemaker {
namespace {

Outcome UnknownOperation(std::string_view operation, bool published) {
    std::string message = fmt::format("The requested operation is not supported: {}", operation);
    if (published) {
        message +=
            " (it is a SageMaker operation that this server does not have yet; docs/coverage.md lists those it has)";
    }
    return Outcome::Fail({.type = "UnknownOperationException", .message = std::move(message)});
}

/// What says that two calls are one: the caller's own token, else the SDK's number of the call. Empty: nothing does.
std::string CallIdentity(const RequestContext& context, const nlohmann::json& request) {
    const auto token = request.find("ClientToken");
    return token != request.end() ? "token " + token->get<std::string>() : context.invocation_id;
}

std::string ReplayKey(const RequestContext& context, std::string_view operation, std::string_view identity,
                      std::string_view body) {
    return fmt::format("{}/{}/{}/{}/{}/{:x}", context.scope.account, context.scope.region, operation, identity,
                       body.size(), std::hash<std::string_view>{}(body));
}

}  // namespace

SageMakerService::SageMakerService(OperationTable operations)
    : model_(ServiceModel::Load()), operations_(std::move(operations)) {
    for (const auto& [name, handler] : operations_.rows()) {
        CHECK(model_.InputOf(name) != nullptr, "operation {} is missing in tools/generate_service_model.py", name);
    }
}

void SageMakerService::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) {
    const http::RequestHead& head = exchange->head();
    const RequestContext context = {.scope = {.account = principal.account_id, .region = principal.region},
                                    .caller_arn = principal.arn(),
                                    .user_agent = std::string(head.headers.Get("User-Agent")),
                                    .request_id = std::move(request_id),
                                    .invocation_id = std::string(head.headers.Get("amz-sdk-invocation-id")),
                                    .host = std::string(head.headers.Get("Host"))};
    const Reply reply = [exchange](const Outcome& outcome) { SendOutcome(*exchange, kSageMakerProtocol, outcome); };
    Dispatch(OperationOf(head, kSageMakerProtocol), exchange->body(), context, reply);
}

void SageMakerService::Dispatch(std::string_view operation, std::string_view body, const RequestContext& context,
                                const Reply& reply) {
    const DeferredHandler* handler = operations_.Find(operation);
    if (handler == nullptr) return reply(UnknownOperation(operation, model_.Knows(operation)));
    auto parsed = ParseJsonBody(body);
    if (const WireError* error = std::get_if<WireError>(&parsed)) return reply(Outcome::Fail(*error));
    nlohmann::json& request = std::get<nlohmann::json>(parsed);
    if (const std::optional<WireError> error = Validate(*model_.InputOf(operation), request)) {
        return reply(Outcome::Fail(*error));
    }
    const std::string identity = CallIdentity(context, request);
    if (!operation.starts_with("Create") || identity.empty()) return (*handler)(request, context, reply);
    if (const auto recorded = replay_.Begin(ReplayKey(context, operation, identity, body), reply)) {
        (*handler)(request, context, *recorded);
    }
}

}  // namespace espalier::api::sagemaker
