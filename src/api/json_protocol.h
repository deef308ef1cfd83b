// The AWS JSON protocol (1.0 and 1.1) as a server speaks it: POST /, the operation in X-Amz-Target, a JSON object in, a
// JSON object or an error body with __type out. Shared by SageMaker, CloudWatch Logs and CloudWatch.
//
// Nouns: JsonRequest (a decoded request), Outcome (what a handler answers), WireError (AWS code, text, status).
// Body: errors carry __type in the body, because botocore reads it nowhere else for this protocol; times are epoch
// seconds with milliseconds as numbers; absent members are left out, never null.
// Limits: nesting depth kNestingDepthMax. Thread-safe: pure functions.
// Source: contracts/api.md 0.8, 1.3-1.5.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/result.h"
#include "http/exchange.h"

namespace espalier::api {

/// Bodies nested deeper are refused: our own shapes need less than ten levels, and writing JSON is recursive.
inline constexpr int kNestingDepthMax = 64;

/// A modelled error of a service, as it goes on the wire.
struct WireError {
    std::string type;     ///< "ValidationException"
    std::string message;  ///< the exact text
    int status = 400;
};

/// What an operation answers: a JSON document (kept serialised) or a WireError.
class Outcome {
  public:
    /// 200 with that document.
    static Outcome Ok(const nlohmann::json& document);
    /// 200 with an empty body, as operations without output answer (Delete…, Stop…).
    static Outcome Empty() { return Outcome(std::string()); }
    static Outcome Fail(WireError error) { return Outcome(std::move(error)); }
    static Outcome ValidationError(std::string message) {
        return Fail({.type = "ValidationException", .message = std::move(message)});
    }
    /// 500 InternalFailure; the error goes to the log, not to the client.
    static Outcome Internal(const Error& error, std::string_view operation);

    const WireError* error() const { return std::get_if<WireError>(&state_); }
    /// The serialised document; only when error() is nullptr.
    const std::string& body() const { return std::get<std::string>(state_); }

  private:
    explicit Outcome(std::string body) : state_(std::move(body)) {}
    explicit Outcome(WireError error) : state_(std::move(error)) {}
    std::variant<std::string, WireError> state_;
};

/// Which flavour of the protocol a service speaks.
struct JsonProtocol {
    std::string_view target_prefix;  ///< "SageMaker"
    std::string_view content_type;   ///< "application/x-amz-json-1.1"
    /// CloudWatch: errors also in the header x-amzn-query-error: "<Code>;Sender", whose code wins in botocore.
    bool query_compatible = false;
};

/// The operation named by X-Amz-Target ("SageMaker.CreateModel" -> "CreateModel"), or "" when the target is another's.
std::string_view OperationOf(const http::RequestHead& head, const JsonProtocol& protocol);

/// The body as a JSON object; an empty body is an empty object. A WireError (SerializationException) when the text is
/// no JSON, no UTF-8, no object, or nested too deeply. Throws nothing.
std::variant<nlohmann::json, WireError> ParseJsonBody(std::string_view body);

/// Sends the outcome. The front door adds the request id.
void SendOutcome(http::Exchange& exchange, const JsonProtocol& protocol, const Outcome& outcome);

/// How every service of this protocol wants its bodies: whole, on a worker, at most 1 MiB; the front door refuses more.
inline constexpr http::BodyPlan kJsonBodyPlan = {.mode = http::BodyPlan::kWorker, .max_body_bytes = 1 << 20};

/// Epoch seconds with milliseconds, as JSON answers carry times.
double EpochSeconds(UnixMillis time);

}  // namespace espalier::api
