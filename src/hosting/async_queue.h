// The asynchronous invocations of all endpoints: accepted, in line, run, ended.
//
// A request is a row before its client is answered (meta/async_requests.h) and ends when its output or error object is
// there. In between it waits here, in memory by its number alone, until a variant of its endpoint has room: each has
// a VariantLine of its own with MaxConcurrentInvocationsPerInstance times its instances. Requests of one endpoint start
// in the order of acceptance. What waits longer than its RequestTTLSeconds fails; what waits for an endpoint that is
// deleted fails as well. An endpoint without instances, or out of service, lets its requests wait.
// Limits: kBacklogMax requests of an endpoint wait. Thread-safe.
// Source: SageMaker developer guide, "Asynchronous inference"; botocore's InvokeEndpointAsync.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/distribution.h"
#include "base/result.h"
#include "base/span.h"
#include "base/thread_pool.h"
#include "hosting/async_run.h"
#include "hosting/live_endpoint.h"
#include "meta/async_requests.h"

namespace espalier::hosting {

/// What InvokeEndpointAsync asks for.
struct AsyncInvocation {
    static constexpr std::int64_t kTtlSecondsMax = 21'600;
    static constexpr std::int64_t kTimeoutSecondsDefault = 900;

    std::string inference_id = "";  ///< "" = one is made
    std::string content_type = "";
    std::string accept = "";
    std::string input_location = "";
    std::string inline_body = "";
    std::string path_extension = "";  ///< between the output path and the file's name
    std::string file_name = "";       ///< "" = one is made
    std::int64_t ttl_seconds = kTtlSecondsMax;
    std::int64_t timeout_seconds = kTimeoutSecondsDefault;
    std::string trace_parent = "";
};

struct AsyncAccepted {
    std::string inference_id;
    std::string output_location;
    std::string failure_location;  ///< "" = failures are not kept
};

/// What went through one variant since the last look.
struct AsyncTaken {
    std::uint64_t processed = 0;
    std::uint64_t failures = 0;
    std::uint64_t expired = 0;
    std::uint64_t download_failures = 0;
    std::uint64_t upload_failures = 0;
    Distribution download_us;
    Distribution upload_us;
    Distribution backlog_ms;
    Distribution total_ms;
};

/// The requests of an endpoint that have not ended.
struct Backlog {
    std::size_t size = 0;      ///< waiting and running
    UnixMillis oldest_at = 0;  ///< when the oldest was accepted; 0 without any
};

class AsyncQueue {
  public:
    static constexpr std::size_t kBacklogMax = 1'000'000;

    struct Options {
        meta::Database* database = nullptr;  ///< borrowed, as all of these
        store::ObjectStore* objects = nullptr;
        const Clock* clock = nullptr;
        const EndpointTable* table = nullptr;
        Invoker* invoker = nullptr;
        EndpointLog* log = nullptr;
        SpanSink* spans = nullptr;  ///< nullptr: nothing is traced
        std::string folder;         ///< that is there; for inputs while they are read
        std::size_t num_threads = 1;
    };
    explicit AsyncQueue(const Options& options);
    ~AsyncQueue() { Stop(); }

    /// Takes up what was accepted before a restart. Requests of endpoints that `exists` does not know fail.
    Result<void> Restore(const std::function<bool(const meta::Scope&, const std::string&)>& exists);
    /// From now on requests are started by themselves.
    void Start();
    /// Lets those that run end and starts no more; they wait for the next start of the server.
    void Stop();

    /// `endpoint` is asynchronous. When it returns, the request will end with an object. kInvalidArgument for places
    /// that are none; kUnavailable when kBacklogMax wait.
    Result<AsyncAccepted> Accept(const LiveEndpoint& endpoint, AsyncInvocation invocation);
    /// The endpoint is gone: what waits fails with `reason`.
    Result<void> Close(const meta::Scope& scope, const std::string& endpoint, const std::string& reason);
    /// Something changed that may let requests start.
    void Wake();

    Backlog BacklogOf(const meta::Scope& scope, const std::string& endpoint) const;
    /// By variant.
    std::map<std::string, AsyncTaken> Take(const meta::Scope& scope, const std::string& endpoint);

    /// Where the lines of asynchronous variants run.
    ThreadPool& pool() { return pool_; }

    /// One look: ends what is to be ended and starts what can start, which happens by itself after Start.
    void Dispatch();
    /// Blocks until nothing runs. For tests.
    void WaitForRunning();

  private:
    using EndpointId = std::pair<meta::Scope, std::string>;
    struct Waiting {
        std::int64_t id = 0;
        UnixMillis accepted_at = 0;
        UnixMillis expires_at = 0;
        std::string end_reason = "";  ///< not "": it is to fail
        UnixMillis not_before = 0;    ///< of a request that is tried again
        bool may_have_ended = false;  ///< it was running when the server was killed, or could be
    };
    struct Line {
        std::deque<Waiting> waiting;
        std::map<std::int64_t, Waiting> running;
        std::map<std::string, AsyncTaken> taken;
        UnixMillis look_for_ended_at = 0;  ///< nothing that waits expires or is doomed before
    };

    void Push(Line& line, Waiting waiting);
    /// Under mutex_: hands those that expired or are doomed to the pool.
    void EndOverdue(const EndpointId& id, Line& line, UnixMillis now);
    /// Under mutex_: fills the lines of the endpoint's variants.
    void StartWaiting(const EndpointId& id, Line& line, UnixMillis now);
    /// On a thread of the pool.
    void RunOne(const EndpointId& id, const Waiting& waiting, const PickedVariant& picked);
    void EndOne(const EndpointId& id, const Waiting& waiting, const std::string& variant);
    /// What `end` makes of the request, unless it has ended or the server stops.
    AsyncOutcome Attempt(const Waiting& waiting, const std::function<AsyncOutcome(const meta::AsyncRequest&)>& end);
    /// The span of one attempt, in the trace of the request that was accepted.
    void Trace(const meta::AsyncRequest& request, const std::string& variant, UnixNanos begin,
               const AsyncOutcome& outcome) const;
    /// Ends the row, or puts the request back. Without `started_at` it was ended while it waited.
    void Finish(const EndpointId& id, const Waiting& waiting, const std::string& variant, const AsyncOutcome& outcome,
                std::optional<UnixMillis> started_at);

    const Options options_;
    meta::AsyncRequests rows_;
    AsyncRun run_;
    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::condition_variable ended_;
    bool woken_ = false;                // guarded by mutex_
    bool stopping_ = false;             // guarded by mutex_
    std::map<EndpointId, Line> lines_;  // guarded by mutex_
    ThreadPool pool_;
    std::jthread dispatcher_;
};

}  // namespace espalier::hosting
