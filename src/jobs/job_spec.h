// A training job as the platform runs it: the CreateTrainingJob document parsed into typed values, once, with the
// checks that need no database. The document itself is kept in the job's row and echoed; this is what acts.
//
// Refused here, with a sentence for the user (kInvalidArgument): what this server would otherwise have to ignore
// silently (another image, script mode, manifests, own metric definitions, file systems, instance groups).
// Members without meaning on one's own machine are listed in `unused_members` and told in the job's log.
// Immutable values; pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/algorithm_image.h"
#include "base/result.h"
#include "store/s3_location.h"

namespace espalier::jobs {

/// More instances than this are refused: each is a process on this machine.
inline constexpr int kInstancesMax = 64;
inline constexpr std::int64_t kDefaultMaxRuntimeSeconds = 86400;
/// Where the trainer keeps its checkpoints, as it sees it.
inline constexpr const char* kContainerCheckpointFolder = "/opt/ml/checkpoints";

struct ChannelSpec {
    std::string name;
    std::string s3_uri;  ///< as given
    store::S3Location location;
    bool sharded = false;      ///< ShardedByS3Key
    bool gzip = false;         ///< CompressionType Gzip
    bool pipe = false;         ///< InputMode Pipe; File and FastFile are both plain files here
    std::string content_type;  ///< "" when absent
    std::string record_wrapper = "None";
};

struct JobSpec {
    std::string name;
    std::string image;
    AlgorithmVersion version = AlgorithmVersion::kLegacy;
    std::string role_arn;
    std::map<std::string, std::string> hyperparameters;
    std::vector<ChannelSpec> channels;
    std::string output_uri;  ///< as given, trailing '/' removed
    store::S3Location output;
    bool gzip_output = true;  ///< OutputDataConfig.CompressionType GZIP (the default) or NONE
    std::string instance_type;
    int num_instances = 1;
    std::int64_t max_runtime_seconds = kDefaultMaxRuntimeSeconds;
    std::optional<store::S3Location> checkpoints;  ///< CheckpointConfig.S3Uri
    std::vector<std::string> unused_members;

    /// Where the model goes: "<output>/<job>/output/model.tar.gz", or "<output>/<job>/output/model/" without gzip.
    std::string ModelArtifactsUri() const;
    store::S3Location ModelArtifacts() const;
};

/// `request` is a CreateTrainingJob document that satisfies its published shape.
Result<JobSpec> ParseJobSpec(const std::string& request);

}  // namespace espalier::jobs
