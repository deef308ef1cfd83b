// The table of the SageMaker control plane: operation name -> handler.
//
// A handler gets a request that satisfies its published shape (validation.h) and answers with an Outcome, at once or
// later: a deferred handler keeps the Reply and calls it once, from any thread. Each group of operations has its own
// file with one function that adds its rows; SageMakerService calls them all in its constructor.
// Thread-compatible: filled at start, read-only afterwards.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "api/json_protocol.h"
#include "meta/scope.h"

namespace espalier::api::sagemaker {

/// Who asks, and how. Lives as long as the call of the handler; a deferred handler copies what it keeps.
struct RequestContext {
    meta::Scope scope;
    std::string caller_arn;  ///< "" for an unsigned request in open mode
    std::string user_agent;
    std::string request_id;
    std::string invocation_id;  ///< amz-sdk-invocation-id, equal across a client's retries of one call; "" if unsent
    std::string host;           ///< the Host header: S3 locations that name it mean this server
};

/// Sends the answer. Call exactly once; copies share the one answer.
using Reply = std::function<void(Outcome)>;

using SyncHandler = std::function<Outcome(const nlohmann::json& request, const RequestContext& context)>;
using DeferredHandler =
    std::function<void(const nlohmann::json& request, const RequestContext& context, const Reply& reply)>;

class OperationTable {
  public:
    /// The name must be a published operation with a shape in the service model, and be added once.
    void Add(std::string name, SyncHandler handler);
    void AddDeferred(std::string name, DeferredHandler handler);

    /// nullptr when the server does not have that operation.
    const DeferredHandler* Find(std::string_view name) const;
    const std::map<std::string, DeferredHandler, std::less<>>& rows() const { return rows_; }

  private:
    std::map<std::string, DeferredHandler, std::less<>> rows_;
};

}  // namespace espalier::api::sagemaker
