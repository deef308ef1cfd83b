// What a training instance goes on from: the newest checkpoint of this job, else the model of the `model` channel, else
// nothing.
//
// Rank 0 reads; the others get its bytes, so that all start from the same model. A checkpoint of a job that began with
// an imported model holds that model's rounds too.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "collective/comm.h"
#include "learn/instance_config.h"
#include "learn/trainer.h"
#include "learn/training_log.h"

namespace espalier::learn {

/// The channel that carries a model to go on training from; the SageMaker SDK's model_uri makes it.
inline constexpr std::string_view kModelChannel = "model";

/// Reads it, on any one rank. `updates`: the job is of process_type update, so the channel's model is needed beside a
/// checkpoint. Says in the log what was found. kInvalidArgument and OpenModel's errors name the file.
Result<std::optional<TrainingStart>> ReadStart(const std::string& root, const InstanceConfig& config, bool updates,
                                               TrainingLog& log);

/// Rank 0's start on every rank.
Result<void> ShareStart(std::optional<TrainingStart>& start, collective::Comm& comm);

}  // namespace espalier::learn
