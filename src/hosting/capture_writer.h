// Data capture: sampled requests and answers, written to S3 in batches by a thread of its own.
//
// Objects: <prefix>/yyyy/mm/dd/hh/mm-ss-mmm-<uuid>.jsonl with one JSON line a request, prefix = the destination's key /
// endpoint / variant. The invoke path only copies the payload of a sampled request into a queue; what the queue has is
// written every kFlushInterval, when a batch is full, on Flush and at the end.
// Limits: kQueuedBytesMax of payload wait at most; beyond that records are dropped and counted, since a model that
// answers is worth more than a record of it. A write is tried kWriteAttempts times, then its records are dropped and
// counted. Source: contracts/api.md 3.6, 2.6; botocore's DataCaptureConfig. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "hosting/variant_picker.h"
#include "store/object_store.h"

namespace espalier::hosting {

/// How one endpoint captures. Immutable.
struct CapturePlan {
    TrafficShare share;
    store::BucketName bucket;
    bool input = false;
    bool output = false;
    std::vector<std::string> csv_content_types;   ///< lower case, without parameters
    std::vector<std::string> json_content_types;  ///< the same
};

struct CaptureRecord {
    std::shared_ptr<const CapturePlan> plan;
    std::string key_prefix;  ///< LiveVariant::capture_prefix
    UnixMillis time = 0;
    std::string inference_id;  ///< "" when the request had none
    std::string event_id;
    std::string input_content_type;
    std::string input;
    std::string output_content_type;
    std::string output;

    std::size_t payload_bytes() const { return input.size() + output.size(); }
};

/// The record as one line of JSON, without the line end. Payloads of the listed types are text (encoding CSV or JSON),
/// all others and text that is no UTF-8 are BASE64.
std::string CaptureLine(const CaptureRecord& record);

/// "<prefix>/yyyy/mm/dd/hh/mm-ss-mmm-<uuid>.jsonl" in UTC.
std::string CaptureKey(std::string_view prefix, UnixMillis time, std::string_view uuid);

class CaptureWriter {
  public:
    static constexpr std::size_t kQueuedBytesMax = 64 << 20;
    static constexpr std::size_t kBatchBytesMax = 8 << 20;
    static constexpr int kWriteAttempts = 3;
    static constexpr std::chrono::milliseconds kFlushInterval{500};

    /// Borrowed.
    explicit CaptureWriter(store::ObjectStore& objects);
    /// Writes what is queued, then ends.
    ~CaptureWriter();
    CaptureWriter(const CaptureWriter&) = delete;
    CaptureWriter& operator=(const CaptureWriter&) = delete;

    /// Before a record's payload is copied: false, and one more is counted as dropped, when it could not be queued.
    bool HasRoomFor(std::size_t payload_bytes);
    /// Queues a record; drops it when the queue is full. Does not block on the disk.
    void Add(CaptureRecord record);
    /// Returns when everything added before has been written or dropped.
    void Flush();

    std::uint64_t num_written() const { return num_written_.load(); }
    std::uint64_t num_dropped() const { return num_dropped_.load(); }

  private:
    void Run();
    void WriteBatch(std::vector<CaptureRecord> batch);
    void WriteObject(const CaptureRecord& first, const std::string& lines, std::size_t num_records);

    store::ObjectStore& objects_;
    std::atomic<std::uint64_t> num_written_{0};
    std::atomic<std::uint64_t> num_dropped_{0};

    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::vector<CaptureRecord> queue_;  // guarded by mutex_
    std::size_t queued_bytes_ = 0;      // guarded by mutex_
    std::uint64_t num_added_ = 0;       // guarded by mutex_
    std::uint64_t num_settled_ = 0;     // guarded by mutex_: written or dropped after being queued
    std::uint64_t flush_up_to_ = 0;     // guarded by mutex_
    bool stopping_ = false;             // guarded by mutex_
    std::jthread thread_;
};

}  // namespace espalier::hosting
