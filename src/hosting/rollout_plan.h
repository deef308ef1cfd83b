// How traffic moves from an endpoint's old fleet to its new one: a DeploymentConfig as steps.
//
// Blue/green: all at once is one step, canary two, linear 1 / step size; WaitIntervalInSeconds bakes every step but the
// last, TerminationWaitInSeconds the last. Rolling: a step for each batch, WaitIntervalInSeconds after every one. While
// a step bakes, an alarm or the time limit sends all back: blue/green at once, rolling in batches of
// RollbackMaximumBatchSize. Sizes are shares of traffic, so 10 % of one instance is 10 % of the requests. Plain values.
// Source: SageMaker developer guide, "Deployment guardrails"; the limits are the API reference's.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace espalier::hosting {

struct RolloutStep {
    double share = 1;        ///< of the requests that go to the new fleet from now on
    UnixMillis wait_ms = 0;  ///< then it bakes for so long
};

struct RolloutPlan {
    std::vector<RolloutStep> forward = {{}};  ///< shares grow; the last is 1
    double back_batch = 1;                    ///< how much of the traffic one step back takes
    UnixMillis back_wait_ms = 0;
    UnixMillis timeout_ms = 0;  ///< of the whole; 0 = none
    bool rolling = false;       ///< instances come and go in batches too
    std::vector<std::string> alarms;

    /// Nothing to wait for and nothing to look at.
    bool immediate() const { return forward.size() == 1 && forward[0].wait_ms == 0 && alarms.empty(); }
};

/// `deployment_config` is the JSON of a DeploymentConfig whose members have their published types, or "" for none;
/// num_instances is the smallest instance count of the new fleet's variants, >= 1. kInvalidArgument for sizes outside
/// their limits and for members that contradict each other.
Result<RolloutPlan> PlanRollout(const std::string& deployment_config, int num_instances);

}  // namespace espalier::hosting
