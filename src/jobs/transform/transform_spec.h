// A transform job as the platform runs it: the CreateTransformJob document parsed into typed values, with the checks
// that need no database. The document itself is kept in the job's row and echoed; this is what acts.
//
// Refused here, with a sentence for the user (kInvalidArgument): what would otherwise be ignored silently. The model is
// resolved once, at Create, and kept in the row's detail, so that it may be deleted while the job runs.
// Immutable values; pure functions. Source: contracts/api.md 3.2, 3.7.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/object_store.h"
#include "store/s3_location.h"

namespace espalier::jobs {

/// The model as it was when the job was created.
struct TransformModel {
    std::string image;
    std::string model_data_url;
    std::map<std::string, std::string> environment;  ///< the job's over the model's
};

std::string ToDocument(const TransformModel& model);
/// kCorruptData.
Result<TransformModel> ParseTransformModel(const std::string& document);

struct TransformSpec {
    std::string name;
    std::string model_name;
    std::map<std::string, std::string> environment;
    store::S3Location input;
    bool by_manifest = false;  ///< `input` is a manifest, else a prefix
    std::string content_type;
    bool gzip = false;
    bool split_lines = false;
    bool split_records = false;
    bool single_record = false;
    bool assemble_lines = false;
    std::string accept;
    store::S3Location output;
    std::uint64_t payload_bytes_max = 0;
    int num_concurrent = 0;  ///< MaxConcurrentTransforms; 0 = as many as there are cores
    std::string input_filter = "$";
    std::string output_filter = "$";
    bool join_input = false;
};

/// `request` is a CreateTransformJob document that satisfies its published shape.
Result<TransformSpec> ParseTransformSpec(const std::string& request);

struct TransformInput {
    std::string bucket;
    std::string key;
    std::string output_name;  ///< below the output location, with ".out"
};

/// The objects to transform, in the order of their keys (of a manifest: in its own). kNotFound when there are none;
/// kInvalidArgument for a manifest that is none.
Result<std::vector<TransformInput>> FindTransformInputs(const store::ObjectStore& store, const TransformSpec& spec);

}  // namespace espalier::jobs
