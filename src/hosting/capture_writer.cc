#include "hosting/capture_writer.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/log.h"
#include "base/uuid.h"

namespace espalier::hosting {
namespace {

std::string Lower(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower;
}

bool Lists(const std::vector<std::string>& types, std::string_view content_type) {
    std::string type = Lower(content_type.substr(0, content_type.find(';')));
    while (type.ends_with(' ')) type.pop_back();
    return std::find(types.begin(), types.end(), type) != types.end();
}

/// A JSON string of the bytes, or nullopt when they are no UTF-8.
std::optional<std::string> JsonText(const std::string& bytes) {
    try {
        return nlohmann::json(bytes).dump();
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    }
}

std::string Payload(const CapturePlan& plan, std::string_view mode, const std::string& content_type,
                    const std::string& bytes) {
    std::string_view encoding = Lists(plan.csv_content_types, content_type)    ? "CSV"
                                : Lists(plan.json_content_types, content_type) ? "JSON"
                                                                               : "BASE64";
    std::optional<std::string> text;
    if (encoding != "BASE64") text = JsonText(bytes);
    if (!text) {
        encoding = "BASE64";
        text = '"' + Base64Encode(bytes) + '"';
    }
    const nlohmann::json type = content_type;
    return fmt::format(R"({{"observedContentType":{},"mode":"{}","data":{},"encoding":"{}"}})",
                       type.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), mode, *text, encoding);
}

}  // namespace

std::string CaptureLine(const CaptureRecord& record) {
    std::string line = R"({"captureData":{)";
    if (record.plan->input)
        line += "\"endpointInput\":" + Payload(*record.plan, "INPUT", record.input_content_type, record.input);
    if (record.plan->output) {
        if (record.plan->input) line += ',';
        line += "\"endpointOutput\":" + Payload(*record.plan, "OUTPUT", record.output_content_type, record.output);
    }
    line += fmt::format(R"(}},"eventMetadata":{{"eventId":"{}")", record.event_id);
    if (!record.inference_id.empty()) {
        const nlohmann::json id = record.inference_id;
        line += ",\"inferenceId\":" + id.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    line += fmt::format(R"(,"inferenceTime":"{:%Y-%m-%dT%H:%M:%S}Z"}},"eventVersion":"0"}})",
                        fmt::gmtime(static_cast<std::time_t>(record.time / 1000)));
    return line;
}

std::string CaptureKey(std::string_view prefix, UnixMillis time, std::string_view uuid) {
    return fmt::format("{}/{:%Y/%m/%d/%H/%M-%S}-{:03}-{}.jsonl", prefix,
                       fmt::gmtime(static_cast<std::time_t>(time / 1000)), time % 1000, uuid);
}

CaptureWriter::CaptureWriter(store::ObjectStore& objects) : objects_(objects), thread_([this] { Run(); }) {}

CaptureWriter::~CaptureWriter() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
}

bool CaptureWriter::HasRoomFor(std::size_t payload_bytes) {
    std::lock_guard lock(mutex_);
    const bool fits = queued_bytes_ + payload_bytes <= kQueuedBytesMax;
    if (!fits) num_dropped_.fetch_add(1);
    return fits;
}

void CaptureWriter::Add(CaptureRecord record) {
    std::lock_guard lock(mutex_);
    if (queued_bytes_ + record.payload_bytes() > kQueuedBytesMax) {
        num_dropped_.fetch_add(1);
        return;
    }
    queued_bytes_ += record.payload_bytes();
    ++num_added_;
    queue_.push_back(std::move(record));
    if (queued_bytes_ >= kBatchBytesMax) wake_.notify_one();
}

void CaptureWriter::Flush() {
    std::unique_lock lock(mutex_);
    const std::uint64_t target = num_added_;
    flush_up_to_ = std::max(flush_up_to_, target);
    wake_.notify_one();
    idle_.wait(lock, [&] { return num_settled_ >= target; });
}

void CaptureWriter::Run() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait_for(lock, kFlushInterval,
                       [&] { return stopping_ || queued_bytes_ >= kBatchBytesMax || flush_up_to_ > num_settled_; });
        if (queue_.empty()) {
            if (stopping_) return;
            continue;
        }
        std::vector<CaptureRecord> batch = std::exchange(queue_, {});
        queued_bytes_ = 0;
        const std::uint64_t size = batch.size();
        lock.unlock();
        WriteBatch(std::move(batch));
        lock.lock();
        num_settled_ += size;
        idle_.notify_all();
    }
}

void CaptureWriter::WriteBatch(std::vector<CaptureRecord> batch) {
    // One object per variant, hour and configuration; order of arrival is kept inside each.
    constexpr UnixMillis kHourMillis = 3'600'000;
    std::map<std::tuple<const CapturePlan*, std::string_view, UnixMillis>, std::vector<const CaptureRecord*>> groups;
    for (const CaptureRecord& record : batch)
        groups[{record.plan.get(), record.key_prefix, record.time / kHourMillis}].push_back(&record);
    for (const auto& [where, records] : groups) {
        std::string lines;
        for (const CaptureRecord* record : records) lines.append(CaptureLine(*record)).append("\n");
        WriteObject(*records.front(), lines, records.size());
    }
}

void CaptureWriter::WriteObject(const CaptureRecord& first, const std::string& lines, std::size_t num_records) {
    Result<store::ObjectKey> key = store::ObjectKey::Parse(CaptureKey(first.key_prefix, first.time, NewUuid()));
    Result<void> written;
    for (int attempt = 0; attempt < kWriteAttempts; ++attempt) {
        written = {};
        if (!key) {
            written = std::move(key).error();
            break;
        }
        Result<store::ObjectInfo> object = objects_.Put(first.plan->bucket, *key, lines, {});
        if (object) {
            num_written_.fetch_add(num_records);
            return;
        }
        written = std::move(object).error();
        if (written.error().code() == ErrorCode::kNotFound) break;
    }
    num_dropped_.fetch_add(num_records);
    LOG_WARN("captured requests were not written", {"bucket", first.plan->bucket.str()}, {"prefix", first.key_prefix},
             {"records", num_records}, {"error", written.error().ToString()});
}

}  // namespace espalier::hosting
