#include "hosting/async_run.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "store/faults.h"
#include "store/s3_location.h"

namespace espalier::hosting {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::string_view kLogVariant = "async";
constexpr std::string_view kReasonType = "text/plain; charset=utf-8";

std::uint64_t MicrosSince(Steady::time_point begin) {
    return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(Steady::now() - begin).count());
}

struct Place {
    store::BucketName bucket;
    store::ObjectKey key;
};

Result<Place> PlaceOf(const std::string& location) {
    const store::S3Location parsed = TRY(store::ParseS3Location(location));
    store::BucketName bucket = TRY(store::BucketName::Parse(parsed.bucket));
    store::ObjectKey key = TRY(store::ObjectKey::Parse(parsed.key));
    return Place{.bucket = std::move(bucket), .key = std::move(key)};
}

/// Errors that will be the same however often it is tried.
bool IsLasting(const Error& error) {
    return error.code() == ErrorCode::kNotFound || error.code() == ErrorCode::kInvalidArgument ||
           error.code() == ErrorCode::kCorruptData;
}

std::string_view HeaderOf(const store::ObjectInfo& info, std::string_view name) {
    for (const auto& [header, value] : info.attributes.headers)
        if (header == name) return value;
    return "";
}

}  // namespace

AsyncRun::AsyncRun(std::string folder, store::ObjectStore& objects, Invoker& invoker, EndpointLog& log,
                   std::uint64_t input_bytes_max)
    : folder_(std::move(folder)), objects_(objects), invoker_(invoker), log_(log), input_bytes_max_(input_bytes_max) {
    std::error_code error;
    for (const auto& left : std::filesystem::directory_iterator(folder_, error))
        std::filesystem::remove(left.path(), error);
}

Result<AsyncRun::Payload> AsyncRun::Fetch(const meta::AsyncRequest& request) const {
    if (request.input_location.empty())
        return Payload{.mapped = nullptr, .bytes = request.inline_body, .content_type = request.content_type};
    const Place place = TRY(PlaceOf(request.input_location));
    const std::uint64_t size_bytes = TRY(objects_.Head(place.bucket, place.key)).size_bytes;
    if (size_bytes > input_bytes_max_)
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("it has {} bytes, and an input has at most {}", size_bytes, input_bytes_max_));
    const std::string link = fmt::format("{}/{}", folder_, request.id);
    std::error_code error;
    std::filesystem::remove(link, error);
    const store::ObjectInfo info = TRY(objects_.LinkInto(place.bucket, place.key, link));
    auto mapped = MappedMemory::OfFile(link);
    std::filesystem::remove(link, error);
    Payload payload{.mapped = nullptr, .bytes = {}, .content_type = request.content_type};
    payload.mapped = TRY(std::move(mapped));
    const std::span<const std::byte> bytes = payload.mapped->bytes();
    payload.bytes = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    if (payload.content_type.empty()) payload.content_type = HeaderOf(info, "content-type");
    return payload;
}

Result<void> AsyncRun::Store(const std::string& location, std::string_view bytes, std::string_view content_type) {
    const Place place = TRY(PlaceOf(location));
    store::ObjectAttributes attributes;
    if (!content_type.empty()) attributes.headers.emplace_back("content-type", content_type);
    TRY(objects_.Put(place.bucket, place.key, bytes, attributes));
    return {};
}

void AsyncRun::StoreFailure(const meta::AsyncRequest& request, std::string_view message, std::string_view content_type,
                            AsyncOutcome& outcome) {
    log_.Add(request.scope, request.endpoint, kLogVariant,
             fmt::format("Inference request {} failed: {}", request.inference_id, message));
    outcome.kind = AsyncOutcome::Kind::kFailed;
    if (request.failure_location.empty()) return;
    const Result<void> stored = Store(request.failure_location, message, content_type);
    if (stored) return;
    outcome.upload_failed = true;
    log_.Add(request.scope, request.endpoint, kLogVariant,
             fmt::format("The failure of request {} cannot be stored at {}: {}", request.inference_id,
                         request.failure_location, stored.error().ToString()));
    if (!IsLasting(stored.error())) outcome.kind = AsyncOutcome::Kind::kNotNow;
}

AsyncOutcome AsyncRun::Answer(const meta::AsyncRequest& request, const PickedVariant& picked) {
    AsyncOutcome outcome;
    const Steady::time_point begin = Steady::now();
    const Result<Payload> payload = Fetch(request);
    outcome.download_us = MicrosSince(begin);
    if (!payload) {
        if (!IsLasting(payload.error())) return outcome;
        outcome.download_failed = true;
        StoreFailure(request,
                     fmt::format("ClientError: The input {} cannot be read: {}", request.input_location,
                                 payload.error().ToString()),
                     kReasonType, outcome);
        return outcome;
    }
    const InvokeReply answer = invoker_.Invoke(picked, {.content_type = payload->content_type,
                                                        .accept = request.accept,
                                                        .inference_id = request.inference_id,
                                                        .body = payload->bytes});
    // The model cannot be interrupted; an answer that took too long is thrown away instead.
    if (answer.model_latency_us > static_cast<std::uint64_t>(request.timeout_seconds) * 1'000'000) {
        StoreFailure(request,
                     fmt::format("ClientError: The model took longer than the {} seconds of InvocationTimeoutSeconds.",
                                 request.timeout_seconds),
                     kReasonType, outcome);
        return outcome;
    }
    if (answer.reply.status >= 300) {
        StoreFailure(request, answer.reply.body, answer.reply.content_type, outcome);
        return outcome;
    }
    const Steady::time_point upload = Steady::now();
    const Result<void> stored = Store(request.output_location, answer.reply.body, answer.reply.content_type);
    outcome.upload_us = MicrosSince(upload);
    if (stored) {
        outcome.kind = AsyncOutcome::Kind::kAnswered;
        return outcome;
    }
    outcome.upload_failed = true;
    if (!IsLasting(stored.error())) {
        LOG_ERROR("an asynchronous answer cannot be stored; it is tried again", {"output", request.output_location},
                  {"error", stored.error().ToString()});
        return outcome;
    }
    StoreFailure(request,
                 fmt::format("ClientError: The output {} cannot be written: {}", request.output_location,
                             stored.error().ToString()),
                 kReasonType, outcome);
    return outcome;
}

AsyncOutcome AsyncRun::Fail(const meta::AsyncRequest& request, const std::string& reason) {
    AsyncOutcome outcome;
    StoreFailure(request, reason, kReasonType, outcome);
    return outcome;
}

AsyncOutcome::Kind AsyncRun::EndBefore(const meta::AsyncRequest& request) const {
    const auto is_there = [&](const std::string& location) {
        const Result<Place> place = PlaceOf(location);
        if (!place) return false;
        const Result<store::ObjectInfo> info = objects_.Head(place->bucket, place->key);
        return info && info->last_modified >= request.accepted_at;
    };
    if (!request.has_own_places) return AsyncOutcome::Kind::kNotNow;
    if (is_there(request.output_location)) return AsyncOutcome::Kind::kAnswered;
    if (!request.failure_location.empty() && is_there(request.failure_location)) return AsyncOutcome::Kind::kFailed;
    return AsyncOutcome::Kind::kNotNow;
}

}  // namespace espalier::hosting
