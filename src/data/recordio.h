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
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/data_files.h"
#include "data/feature_rows.h"
#include "data/text_issue.h"

namespace espalier::data {

struct RecordIoRules {
    bool labeled = true;  ///< every record has one label; false: labels are skipped if there
    std::uint32_t feature_idx_max = kFeatureIdxMax;
};

/// Bytes at the front that are whole records; the rest is the beginning of one more. Bytes that are no frame count as
/// whole, so that ParseRecordIoBlock gets to see and name them.
std::size_t WholeRecordsSize(std::string_view bytes);

/// Appends the records of `bytes`, which must end with a whole one, to `rows`. Dense rows widen num_features to their
/// length, sparse ones to shape[0], or, without a shape, to the highest key + 1. On an issue (its offset is that of the
/// record's frame) `rows` is left with the rows before it.
std::optional<TextIssue> ParseRecordIoBlock(std::string_view bytes, const RecordIoRules& rules, LabeledRows& rows);

/// The rows of all files in order, in blocks of about kRecordBlockBytes; gzip is undone. kInvalidArgument with "file,
/// record 17 (byte 1234): …" and the byte of the unpacked file; kResourceLimit for a record over kRecordBytesMax;
/// data/byte_source.h's errors; an error of `consume` ends the load and is returned.
Result<void> LoadRecordIoBlocks(std::span<const DataFile> files, const RecordIoRules& rules,
                                const std::function<Result<void>(LabeledRows&& block)>& consume);

inline constexpr std::size_t kRecordBlockBytes = std::size_t{1} << 20;
inline constexpr std::size_t kRecordBytesMax = std::size_t{1} << 30;

/// The rows of a request into `rows` (cleared first; reuse it). kInvalidArgument with "record 3 (byte 120): …".
Result<void> ParseRecordIoRequest(std::string_view body, LabeledRows& rows);

/// Appends one frame around `payload` to `out`. payload: < 2^29 bytes.
void AppendRecordIoFrame(std::string& out, std::string_view payload);

}  // namespace espalier::data
