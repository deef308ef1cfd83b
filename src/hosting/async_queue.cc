#include "hosting/async_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/log.h"
#include "base/uuid.h"
#include "store/s3_location.h"

namespace espalier::hosting {
namespace {

constexpr std::size_t kTasksMax = 2 * AsyncQueue::kBacklogMax;
constexpr UnixMillis kRetryMillis = 1000;
constexpr std::chrono::seconds kLookInterval{1};
constexpr UnixMillis kNever = std::numeric_limits<UnixMillis>::max();

struct Places {
    std::string output;
    std::string failure;
};

/// kInvalidArgument when the names make no key.
Result<Places> PlacesOf(const AsyncSpec& spec, const AsyncInvocation& invocation) {
    const std::string file = invocation.file_name.empty() ? NewUuid() + ".out" : invocation.file_name;
    const std::string stem = file.substr(0, file.rfind('.'));
    const auto place = [&](const std::string& root, const std::string& name) -> Result<std::string> {
        store::S3Location location = TRY(store::ParseS3Location(root));
        if (!invocation.path_extension.empty()) location = location.Join(invocation.path_extension);
        location = location.Join(name);
        TRY(store::BucketName::Parse(location.bucket));
        TRY(store::ObjectKey::Parse(location.key));
        return location.ToUri();
    };
    Places places{.output = TRY(place(spec.output_uri, file)), .failure = ""};
    if (!spec.failure_uri.empty()) places.failure = TRY(place(spec.failure_uri, stem + "-error.out"));
    return places;
}

}  // namespace

AsyncQueue::AsyncQueue(const Options& options)
    : options_(options),
      rows_(*options.database),
      run_(options.folder, *options.objects, *options.invoker, *options.log),
      pool_({.num_threads = options.num_threads, .queued_tasks_max = kTasksMax}) {}

Result<void> AsyncQueue::Restore(const std::function<bool(const meta::Scope&, const std::string&)>& exists) {
    const std::vector<meta::WaitingAsyncRequest> requests = TRY(rows_.All());
    std::lock_guard lock(mutex_);
    for (const meta::WaitingAsyncRequest& request : requests) {
        std::string reason = request.end_reason;
        if (reason.empty() && !exists(request.scope, request.endpoint))
            reason = fmt::format("ClientError: The endpoint {} was deleted.", request.endpoint);
        Push(lines_[{request.scope, request.endpoint}], {.id = request.id,
                                                         .accepted_at = request.accepted_at,
                                                         .expires_at = request.expires_at,
                                                         .end_reason = std::move(reason),
                                                         .may_have_ended = true});
    }
    if (!requests.empty()) LOG_INFO("asynchronous requests go on", {"requests", requests.size()});
    return {};
}

void AsyncQueue::Start() {
    dispatcher_ = std::jthread([this](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            Dispatch();
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, kLookInterval, [this] { return woken_; });
            woken_ = false;
        }
    });
}

void AsyncQueue::Stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    dispatcher_ = std::jthread();
    pool_.Stop();
}

void AsyncQueue::Push(Line& line, Waiting waiting) {
    const UnixMillis ends_at = waiting.end_reason.empty() ? waiting.expires_at : 0;
    line.look_for_ended_at = line.waiting.empty() ? ends_at : std::min(line.look_for_ended_at, ends_at);
    line.waiting.push_back(std::move(waiting));
}

Result<AsyncAccepted> AsyncQueue::Accept(const LiveEndpoint& endpoint, AsyncInvocation invocation) {
    const EndpointId id(endpoint.scope, endpoint.name);
    if (BacklogOf(endpoint.scope, endpoint.name).size >= kBacklogMax)
        return Error(ErrorCode::kUnavailable,
                     fmt::format("Endpoint {} has {} asynchronous requests waiting.", endpoint.name, kBacklogMax));
    Places places = TRY(PlacesOf(*endpoint.async, invocation));
    const UnixMillis now = options_.clock->WallMillis();
    meta::AsyncRequest request{
        .scope = endpoint.scope,
        .endpoint = endpoint.name,
        .inference_id = invocation.inference_id.empty() ? NewUuid() : std::move(invocation.inference_id),
        .content_type = std::move(invocation.content_type),
        .accept = std::move(invocation.accept),
        .input_location = std::move(invocation.input_location),
        .inline_body = std::move(invocation.inline_body),
        .output_location = std::move(places.output),
        .failure_location = std::move(places.failure),
        .has_own_places = invocation.file_name.empty(),
        .accepted_at = now,
        .expires_at = now + invocation.ttl_seconds * 1000,
        .timeout_seconds = invocation.timeout_seconds,
        .trace_parent = std::move(invocation.trace_parent)};
    request.id = TRY(rows_.Insert(request));
    {
        std::lock_guard lock(mutex_);
        Waiting waiting{.id = request.id, .accepted_at = now, .expires_at = request.expires_at, .end_reason = ""};
        // Deleted while the row was being written.
        if (options_.table->Find(endpoint.scope.account, endpoint.scope.region, endpoint.name) == nullptr)
            waiting.end_reason = fmt::format("ClientError: The endpoint {} was deleted.", endpoint.name);
        Push(lines_[id], std::move(waiting));
    }
    Wake();
    return AsyncAccepted{.inference_id = std::move(request.inference_id),
                         .output_location = std::move(request.output_location),
                         .failure_location = std::move(request.failure_location)};
}

Result<void> AsyncQueue::Close(const meta::Scope& scope, const std::string& endpoint, const std::string& reason) {
    TRY(rows_.Doom(scope, endpoint, reason));
    {
        std::lock_guard lock(mutex_);
        Line& line = lines_[{scope, endpoint}];
        for (Waiting& waiting : line.waiting) waiting.end_reason = reason;
        line.look_for_ended_at = 0;
    }
    Wake();
    return {};
}

void AsyncQueue::Wake() {
    {
        std::lock_guard lock(mutex_);
        woken_ = true;
    }
    wake_.notify_one();
}

Backlog AsyncQueue::BacklogOf(const meta::Scope& scope, const std::string& endpoint) const {
    std::lock_guard lock(mutex_);
    const auto found = lines_.find({scope, endpoint});
    if (found == lines_.end()) return {};
    const Line& line = found->second;
    Backlog backlog{.size = line.waiting.size() + line.running.size(), .oldest_at = 0};
    // Ids grow with the time of acceptance.
    if (!line.running.empty()) backlog.oldest_at = line.running.begin()->second.accepted_at;
    if (!line.waiting.empty() && (backlog.oldest_at == 0 || line.waiting.front().accepted_at < backlog.oldest_at))
        backlog.oldest_at = line.waiting.front().accepted_at;
    return backlog;
}

std::map<std::string, AsyncTaken> AsyncQueue::Take(const meta::Scope& scope, const std::string& endpoint) {
    std::lock_guard lock(mutex_);
    const auto found = lines_.find({scope, endpoint});
    return found == lines_.end() ? std::map<std::string, AsyncTaken>() : std::exchange(found->second.taken, {});
}

void AsyncQueue::Dispatch() {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    const UnixMillis now = options_.clock->WallMillis();
    for (auto& [id, line] : lines_) {
        EndOverdue(id, line, now);
        StartWaiting(id, line, now);
    }
    std::erase_if(lines_, [&](const auto& entry) {
        const auto& [id, line] = entry;
        return line.waiting.empty() && line.running.empty() &&
               options_.table->Find(id.first.account, id.first.region, id.second) == nullptr;
    });
}

void AsyncQueue::EndOverdue(const EndpointId& id, Line& line, UnixMillis now) {
    if (now < line.look_for_ended_at || line.waiting.empty()) return;
    const auto endpoint = options_.table->Find(id.first.account, id.first.region, id.second);
    const std::string variant = endpoint == nullptr ? "" : endpoint->production.front().name;
    std::deque<Waiting> left;
    line.look_for_ended_at = kNever;
    for (Waiting& waiting : line.waiting) {
        const bool ends = (!waiting.end_reason.empty() || now >= waiting.expires_at) && now >= waiting.not_before;
        if (ends && pool_.TrySubmit([this, id, waiting, variant] { EndOne(id, waiting, variant); })) {
            line.running.emplace(waiting.id, std::move(waiting));
            continue;
        }
        const UnixMillis ends_at = waiting.end_reason.empty() ? waiting.expires_at : 0;
        line.look_for_ended_at = std::min(line.look_for_ended_at, std::max(ends_at, waiting.not_before));
        left.push_back(std::move(waiting));
    }
    line.waiting = std::move(left);
}

void AsyncQueue::StartWaiting(const EndpointId& id, Line& line, UnixMillis now) {
    if (line.waiting.empty()) return;
    const auto endpoint = options_.table->Find(id.first.account, id.first.region, id.second);
    if (endpoint == nullptr) return;
    while (!line.waiting.empty() && line.waiting.front().not_before <= now) {
        const PickedVariant picked = Invoker::Pick(endpoint, "");
        if (picked.outcome != PickedVariant::Outcome::kPicked) return;
        const Waiting& next = line.waiting.front();
        const auto entry = picked.variant->line->Enter(
            VariantLine::Kind::kUnattended, [&] { return [this, id, next, picked] { RunOne(id, next, picked); }; });
        if (entry == VariantLine::Entry::kFull) return;
        line.running.emplace(next.id, next);
        line.waiting.pop_front();
    }
}

AsyncOutcome AsyncQueue::Attempt(const Waiting& waiting,
                                 const std::function<AsyncOutcome(const meta::AsyncRequest&)>& end) {
    {
        std::lock_guard lock(mutex_);
        if (stopping_) return {};
    }
    const auto request = rows_.Find(waiting.id);
    if (!request) {
        LOG_ERROR("an asynchronous request cannot be read; it is tried again", {"id", waiting.id},
                  {"error", request.error().ToString()});
        return {};
    }
    if (!*request) return {.kind = AsyncOutcome::Kind::kAnswered};
    if (waiting.may_have_ended) {
        const AsyncOutcome::Kind before = run_.EndBefore(**request);
        if (before != AsyncOutcome::Kind::kNotNow) return {.kind = before};
    }
    return end(**request);
}

void AsyncQueue::RunOne(const EndpointId& id, const Waiting& waiting, const PickedVariant& picked) {
    const auto begin = std::chrono::steady_clock::now();
    const UnixMillis started_at = options_.clock->WallMillis();
    const AsyncOutcome outcome = Attempt(waiting, [&](const meta::AsyncRequest& request) {
        const UnixNanos span_begin = options_.spans == nullptr ? 0 : WallNanos();
        const AsyncOutcome answer = run_.Answer(request, picked);
        if (options_.spans != nullptr) Trace(request, picked.variant->name, span_begin, answer);
        return answer;
    });
    picked.variant->line->Leave(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin));
    Finish(id, waiting, picked.variant->name, outcome, started_at);
}

void AsyncQueue::Trace(const meta::AsyncRequest& request, const std::string& variant, UnixNanos begin,
                       const AsyncOutcome& outcome) const {
    const std::optional<TraceContext> accepted = ParseTraceParent(request.trace_parent);
    if (!accepted) return;
    Span span{.context = accepted->Child(),
              .parent_id = accepted->span_id,
              .name = "asynchronous invocation",
              .kind = Span::Kind::kConsumer,
              .begin = begin,
              .end = std::max(WallNanos(), begin),
              .failed = outcome.kind != AsyncOutcome::Kind::kAnswered,
              .message = outcome.kind == AsyncOutcome::Kind::kFailed ? "ended with an error object" : ""};
    span.texts = {{"aws.sagemaker.endpoint", request.endpoint},
                  {"aws.sagemaker.variant", variant},
                  {"aws.sagemaker.inference_id", request.inference_id}};
    options_.spans->Add(std::move(span));
}

void AsyncQueue::EndOne(const EndpointId& id, const Waiting& waiting, const std::string& variant) {
    const std::string expired =
        fmt::format("ClientError: The request expired: it had waited for {} seconds, its RequestTTLSeconds.",
                    (waiting.expires_at - waiting.accepted_at) / 1000);
    const AsyncOutcome outcome = Attempt(waiting, [&](const meta::AsyncRequest& request) {
        return run_.Fail(request, waiting.end_reason.empty() ? expired : waiting.end_reason);
    });
    Finish(id, waiting, variant, outcome, std::nullopt);
}

void AsyncQueue::Finish(const EndpointId& id, const Waiting& waiting, const std::string& variant,
                        const AsyncOutcome& outcome, std::optional<UnixMillis> started_at) {
    using Kind = AsyncOutcome::Kind;
    bool ended = outcome.kind != Kind::kNotNow;
    if (ended) {
        const Result<void> deleted = rows_.Delete(waiting.id);
        if (!deleted) LOG_ERROR("an asynchronous request cannot be ended", {"error", deleted.error().ToString()});
        // Done again it gives the same objects, so the row may as well stay for another try.
        ended = deleted.has_value();
    }
    {
        std::lock_guard lock(mutex_);
        Line& line = lines_[id];
        line.running.erase(waiting.id);
        AsyncTaken& taken = line.taken[variant];
        const UnixMillis now = options_.clock->WallMillis();
        if (outcome.download_failed) ++taken.download_failures;
        if (outcome.upload_failed) ++taken.upload_failures;
        if (ended) {
            ++taken.processed;
            if (outcome.kind == Kind::kFailed) ++taken.failures;
            if (outcome.kind == Kind::kFailed && !started_at && waiting.end_reason.empty()) ++taken.expired;
            if (outcome.download_us > 0) taken.download_us.Add(static_cast<double>(outcome.download_us));
            if (outcome.upload_us > 0) taken.upload_us.Add(static_cast<double>(outcome.upload_us));
            taken.backlog_ms.Add(static_cast<double>(started_at.value_or(now) - waiting.accepted_at));
            taken.total_ms.Add(static_cast<double>(now - waiting.accepted_at));
        } else {
            Waiting again = waiting;
            again.may_have_ended = true;
            again.not_before = now + kRetryMillis;
            line.look_for_ended_at = std::min(line.look_for_ended_at, again.not_before);
            line.waiting.push_front(std::move(again));
        }
    }
    ended_.notify_all();
    Wake();
}

void AsyncQueue::WaitForRunning() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] {
        return std::all_of(lines_.begin(), lines_.end(),
                           [](const auto& entry) { return entry.second.running.empty(); });
    });
}

}  // namespace espalier::hosting
