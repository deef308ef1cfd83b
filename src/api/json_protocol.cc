#include "api/json_protocol.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/log.h"

namespace espalier::api {
namespace {

std::string Dump(const nlohmann::json& document) {
    // Replacing bad UTF-8 instead of throwing: log texts and names come from outside.
    return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

WireError SerializationError(std::string message) {
    return {.type = "SerializationException", .message = std::move(message)};
}

/// The deepest nesting of brackets outside strings. Cheaper than parsing, and it bounds what the parser builds.
int NestingDepth(std::string_view text) {
    int depth = 0;
    int deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            deepest = std::max(deepest, ++depth);
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return deepest;
}

}  // namespace

Outcome Outcome::Ok(const nlohmann::json& document) {
    return Outcome(Dump(document));
}

Outcome Outcome::Internal(const Error& error, std::string_view operation) {
    LOG_ERROR("request failed inside", {"operation", operation}, {"error", error.ToString()},
              {"where", fmt::format("{}:{}", error.where().file_name(), error.where().line())});
    return Fail({.type = "InternalFailure",
                 .message = "The server met an error of its own; its log holds the details.",
                 .status = 500});
}

std::string_view OperationOf(const http::RequestHead& head, const JsonProtocol& protocol) {
    const std::string_view target = head.headers.Get("X-Amz-Target");
    const std::size_t prefix_length = protocol.target_prefix.size();
    if (!target.starts_with(protocol.target_prefix) || target.size() <= prefix_length || target[prefix_length] != '.') {
        return "";
    }
    return target.substr(prefix_length + 1);
}

std::variant<nlohmann::json, WireError> ParseJsonBody(std::string_view body) {
    if (body.empty()) return nlohmann::json::object();
    if (NestingDepth(body) > kNestingDepthMax) {
        return SerializationError(fmt::format("The document is nested deeper than {} levels.", kNestingDepthMax));
    }
    nlohmann::json document = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
    if (document.is_discarded()) return SerializationError("The request body is not well-formed JSON in UTF-8.");
    if (!document.is_object()) return SerializationError("Expected a JSON object as the request body.");
    return document;
}

void SendOutcome(http::Exchange& exchange, const JsonProtocol& protocol, const Outcome& outcome) {
    http::Response response;
    response.headers.Add("Content-Type", std::string(protocol.content_type));
    if (const WireError* error = outcome.error()) {
        response.status = error->status;
        if (protocol.query_compatible) {
            response.headers.Add("x-amzn-query-error",
                                 fmt::format("{};{}", error->type, error->status < 500 ? "Sender" : "Receiver"));
        }
        response.body = Dump({{"__type", error->type}, {"message", error->message}});
    } else {
        response.body = outcome.body();
    }
    exchange.Send(std::move(response));
}

double EpochSeconds(UnixMillis time) {
    return static_cast<double>(time) / 1000.0;
}

}  // namespace espalier::api
