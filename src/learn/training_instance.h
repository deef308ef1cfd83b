// One training instance under the /opt/ml directory contract.
//
// Reads <root>/input/config/*.json and <root>/input/data/<channel>, prints the log the containers print, writes
// <root>/model/xgboost-model, or on failure <root>/output/failure ("ClientError: …" for what the user can mend,
// "AlgorithmError: …" for the rest, "InternalServerError: …" when a disk fails; at most 1024 characters).
// Steps: configuration -> hyperparameters -> channels -> what to go on from (learn/instance_start.h) -> rows -> all
// ranks agree that all is well -> train, rank 0 writes checkpoints (learn/checkpoint.h) -> rank 0 publishes the model.
// Source: contracts/xgboost.md 1.5, 2.1, 2.2, 2.6, 3.1, 3.6. Runs on the calling thread plus its own workers.
#pragma once

#include <atomic>
#include <string>

#include "base/clock.h"
#include "base/progress_mark.h"
#include "base/result.h"
#include "base/version_profile.h"
#include "collective/comm.h"
#include "learn/instance_config.h"

namespace espalier::learn {

struct InstanceOptions {
    std::string root;
    VersionProfile profile;
    int num_threads = 0;  ///< 0: as many as the machine has; nthread lowers it
    const std::atomic<bool>* stop = nullptr;
    ProgressMark* mark = nullptr;  ///< shows that the instance gets on; borrowed
    /// W3C traceparent: the instance's stages are recorded in <root>/output/spans.jsonl (base/span_file.h). "" = not.
    std::string trace_parent = "";
};

/// Trains and publishes. The error is the user's (kInvalidArgument and kin) or not (kInternal, kUnavailable, kIo).
Result<void> RunInstance(const InstanceOptions& options, const InstanceConfig& config, const Clock& clock,
                         collective::Comm& comm);

/// A user's mistake in the image's style; else "AlgorithmError: …" or, for a disk that fails, "InternalServerError: …".
/// The message is cut so that all is at most 1024 characters.
std::string FailureReason(const Error& error, ErrorStyle style);

/// Writes <root>/output/failure, making the folder if need be. Best effort: a failure to write it is not reported.
void WriteFailure(const std::string& root, const std::string& reason);

}  // namespace espalier::learn
