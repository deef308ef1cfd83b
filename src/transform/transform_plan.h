// What one transform process is to do: the document that the platform leaves in its folder, typed.
//
//   ROOT/transform.json   written by jobs/transform
//   ROOT/model.tar.gz     the model's archive
//   ROOT/input/<n>        the objects, in order
//   ROOT/output/<n>.out   written here, whole or not at all
//   ROOT/output/failure   written here when the job has failed: the reason
// Plain values. docs/formats.md describes the JSON.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "transform/json_path.h"

namespace espalier::transform {

enum class RecordFormat { kOpaque, kCsv, kJson, kJsonLines };

struct ObjectTask {
    std::string name;  ///< s3://bucket/key, for messages
    std::string input_path;
    std::string output_path;
};

struct TransformPlan {
    std::string image;
    std::map<std::string, std::string> environment;
    std::string model_path;
    std::string content_type;
    std::string accept;
    RecordFormat format = RecordFormat::kOpaque;  ///< of the content type
    bool gzip = false;                            ///< the objects are gzip
    bool split_lines = false;                     ///< SplitType Line; else an object is one payload
    bool split_records = false;                   ///< SplitType RecordIO
    bool single_record = false;                   ///< BatchStrategy SingleRecord
    bool assemble_lines = false;                  ///< AssembleWith Line
    std::uint64_t payload_bytes_max = 0;
    JsonPath input_filter;   ///< "$" = all
    JsonPath output_filter;  ///< "$" = all
    bool join_input = false;
    std::vector<ObjectTask> objects;

    bool is_json() const { return format == RecordFormat::kJson || format == RecordFormat::kJsonLines; }
    /// Whether records have to be looked into, one by one.
    bool has_record_work() const { return join_input || !input_filter.is_whole() || !output_filter.is_whole(); }
};

/// kCorruptData when ROOT/transform.json is not what the platform writes.
Result<TransformPlan> ReadTransformPlan(const std::string& root);

/// The format that a content type names, as far as records of it can be looked into.
RecordFormat RecordFormatOf(const std::string& content_type);

}  // namespace espalier::transform
