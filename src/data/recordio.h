// RecordIO-protobuf: the binary rows of SageMaker's built-in algorithms.
//
// A file is a run of frames: u32 0xCED7230A, u32 length (its upper three bits say that a record is cut over several
// frames; MXNet's writers do so for records that contain the magic number), payload, zeros up to a multiple of 4; all
// little-endian. A payload is a protobuf message aialgs.data.Record: features = 1 and label = 2 are maps from a name,
// here always "values", to a tensor of float32 (2), float64 (3) or int32 (7) with values = 1, keys = 2, shape = 3.
// Tensors with keys are sparse: what has no key is missing; without keys they are dense, and NaN is missing. Numbers
// become float32; infinity is refused, as is a key that stands twice in one record. Source: contracts/xgboost.md 2.5
// (the record.proto of sagemaker's SDK); compared with the SDK's writer by tests/clients. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/byte_source.h"
#include "data/data_files.h"
#include "data/feature_rows.h"
#include "data/text_issue.h"

namespace espalier::data {

inline constexpr std::size_t kRecordBlockBytes = std::size_t{1} << 20;
inline constexpr std::size_t kRecordBytesMax = std::size_t{1} << 30;

struct RecordIoRules {
    bool labeled = true;  ///< every record has one label; false: labels are skipped if there
    std::uint32_t feature_idx_max = kFeatureIdxMax;
};

/// Bytes at the front that are whole records; the rest is the beginning of one more. Bytes that are no frame count as
/// whole, so that ParseRecordIoBlock gets to see and name them.
std::size_t WholeRecordsSize(std::string_view bytes);

/// The records of `bytes`, each with its frames; bytes behind the last whole one, or that are no frame, are one more.
std::vector<std::string_view> SplitRecords(std::string_view bytes);

/// The bytes of one file in blocks of whole records. Confined to one thread at a time.
class RecordBlockReader {
  public:
    /// `file` is borrowed and must outlive the reader.
    explicit RecordBlockReader(const DataFile& file) : file_(file) {}

    /// Fills `block` with about kRecordBlockBytes (more when a record is longer) and, at the end of the file, with what
    /// is left, whole or not; false after the last block. data/byte_source.h's errors; kResourceLimit for a record over
    /// kRecordBytesMax.
    Result<bool> Next(EntryVector<char>& block);
    std::uint64_t offset() const { return offset_; }  ///< of the last block in the unpacked file

  private:
    const DataFile& file_;
    std::unique_ptr<ByteSource> source_;
    EntryVector<char> carry_;  // the beginning of a record behind the last block
    std::uint64_t offset_ = 0;
    std::uint64_t next_offset_ = 0;
    std::uint64_t bytes_read_ = 0;
};

/// Appends the records of `bytes`, which must end with a whole one, to `rows`. Dense rows widen num_features to their
/// length, sparse ones to shape[0], or, without a shape, to the highest key + 1. On an issue (its offset is that of the
/// record's frame) `rows` is left with the rows before it.
std::optional<TextIssue> ParseRecordIoBlock(std::string_view bytes, const RecordIoRules& rules, LabeledRows& rows);

/// The rows of all files in order, in blocks of about kRecordBlockBytes; gzip is undone. kInvalidArgument with "file,
/// record 17 (byte 1234): …" and the byte of the unpacked file; kResourceLimit for a record over kRecordBytesMax;
/// data/byte_source.h's errors; an error of `consume` ends the load and is returned.
Result<void> LoadRecordIoBlocks(std::span<const DataFile> files, const RecordIoRules& rules,
                                const std::function<Result<void>(LabeledRows&& block)>& consume);

/// The rows of a request into `rows` (cleared first; reuse it). kInvalidArgument with "record 3 (byte 120): …".
Result<void> ParseRecordIoRequest(std::string_view body, LabeledRows& rows);

/// Appends one frame around `payload` to `out`. payload: < 2^29 bytes.
void AppendRecordIoFrame(std::string& out, std::string_view payload);

}  // namespace espalier::data
