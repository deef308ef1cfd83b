// Step scaling policies: by how far a metric breaches an alarm's threshold, how many instances there shall be.
//
// A step holds for a range of (value - threshold). Percentages are rounded towards zero, but never to zero, and
// MinAdjustmentMagnitude is the least change of one. Thread-safe: pure functions. Source: Application Auto Scaling API
// reference, StepScalingPolicyConfiguration and StepAdjustment; its user guide, "How step scaling works".
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "base/result.h"

namespace espalier::hosting {

/// Whether a policy's configuration is a StepScalingPolicyConfiguration rather than one of target tracking.
bool IsStepPolicy(const nlohmann::json& configuration);

/// kInvalidArgument with a sentence for a StepScalingPolicyConfiguration that cannot be honoured.
Result<void> CheckStepPolicy(const nlohmann::json& configuration);

/// What `count` becomes; nullopt when no step holds for that breach. `above`: the alarm's metric breaches upwards,
/// which decides to which step a border belongs.
std::optional<std::int64_t> StepCapacity(const nlohmann::json& configuration, std::int64_t count, double breach,
                                         bool above);

}  // namespace espalier::hosting
