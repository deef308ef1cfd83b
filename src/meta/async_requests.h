// Asynchronous invocations in SQL: those that were accepted and have not ended yet.
//
// A row is there from before the client is answered until its output or error object is; so whatever kills the server,
// no accepted request is lost. Ids grow in the order of acceptance and are never used again. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/scope.h"

namespace espalier::meta {

struct AsyncRequest {
    std::int64_t id = 0;  ///< given by Insert
    Scope scope;
    std::string endpoint;
    std::string inference_id;
    std::string content_type;    ///< "" = that of the input object
    std::string accept;          ///< "" = the model's own
    std::string input_location;  ///< an S3 URI; "" = inline_body is the payload
    std::string inline_body;
    std::string output_location;   ///< s3://bucket/key
    std::string failure_location;  ///< s3://bucket/key, or "" = failures are not kept
    bool has_own_places = true;    ///< no other request writes there: their names were made for this one
    UnixMillis accepted_at = 0;
    UnixMillis expires_at = 0;  ///< it fails when it still waits then
    std::int64_t timeout_seconds = 0;
    std::string trace_parent;  ///< W3C traceparent of the request, or ""
};

/// What is needed to put a request in line.
struct WaitingAsyncRequest {
    std::int64_t id = 0;
    Scope scope;
    std::string endpoint;
    UnixMillis accepted_at = 0;
    UnixMillis expires_at = 0;
    std::string end_reason;  ///< "" unless it is to fail with these words
};

class AsyncRequests {
  public:
    /// `database` is borrowed.
    explicit AsyncRequests(Database& database) : database_(database) {}

    /// Gives its id. On disk when it returns.
    Result<std::int64_t> Insert(const AsyncRequest& request);
    Result<std::optional<AsyncRequest>> Find(std::int64_t id);
    /// All of them, oldest first.
    Result<std::vector<WaitingAsyncRequest>> All();
    /// Those of the endpoint that were accepted up to now are to fail with `reason`.
    Result<void> Doom(const Scope& scope, const std::string& endpoint, const std::string& reason);
    /// Ends it; no error when there is none.
    Result<void> Delete(std::int64_t id);

  private:
    Database& database_;
};

}  // namespace espalier::meta
