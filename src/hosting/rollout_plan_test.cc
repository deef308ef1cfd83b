#include "hosting/rollout_plan.h"

#include <gtest/gtest.h>

namespace espalier::hosting {
namespace {

/// "0.1:60 1:0": the steps with their waits in seconds, or the error.
std::string Steps(const std::string& config, int num_instances = 1) {
    Result<RolloutPlan> plan = PlanRollout(config, num_instances);
    if (!plan) return plan.error().message();
    std::string text;
    for (const RolloutStep& step : plan->forward) {
        std::string share = std::to_string(step.share).substr(0, 4);
        text += (text.empty() ? "" : " ") + share + ":" + std::to_string(step.wait_ms / 1000);
    }
    return text;
}

std::string BlueGreen(const std::string& routing, const std::string& more = "") {
    return R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{)" + routing + "}" + more + "}}";
}

TEST(RolloutPlan, EveryPolicyIsStepsOfTraffic) {
    EXPECT_EQ(Steps(""), "1.00:0");
    EXPECT_TRUE(PlanRollout("", 1)->immediate());
    EXPECT_EQ(Steps(BlueGreen(R"("Type":"ALL_AT_ONCE","WaitIntervalInSeconds":5)", R"(,"TerminationWaitInSeconds":9)")),
              "1.00:9");
    EXPECT_EQ(Steps(BlueGreen(R"("Type":"CANARY","WaitIntervalInSeconds":5,"CanarySize":{"Type":"CAPACITY_PERCENT",
                                "Value":10})")),
              "0.10:5 1.00:0");
    EXPECT_EQ(Steps(BlueGreen(R"("Type":"LINEAR","WaitIntervalInSeconds":5,"LinearStepSize":{"Type":"INSTANCE_COUNT",
                                "Value":2})",
                              R"(,"TerminationWaitInSeconds":7)"),
                    5),
              "0.40:5 0.80:5 1.00:7");
    EXPECT_EQ(Steps(R"({"RollingUpdatePolicy":{"MaximumBatchSize":{"Type":"CAPACITY_PERCENT","Value":50},
                       "WaitIntervalInSeconds":3}})"),
              "0.50:3 1.00:3");
    const RolloutPlan alarmed =
        PlanRollout(R"({"AutoRollbackConfiguration":{"Alarms":[{"AlarmName":"a"}]}})", 1).value();
    EXPECT_EQ(alarmed.alarms, std::vector<std::string>{"a"});
    EXPECT_FALSE(alarmed.immediate());
}

TEST(RolloutPlan, SizesAndTimesHaveLimits) {
    const auto canary = [](int value, const char* type = "CAPACITY_PERCENT") {
        return BlueGreen(R"("Type":"CANARY","WaitIntervalInSeconds":5,"CanarySize":{"Type":")" + std::string(type) +
                         R"(","Value":)" + std::to_string(value) + "}");
    };
    EXPECT_EQ(Steps(canary(51)), "CanarySize must be 1 to 50 % of the variant's 1 instance.");
    EXPECT_EQ(Steps(canary(1, "INSTANCE_COUNT")), "CanarySize must be 1 to 50 % of the variant's 1 instance.");
    EXPECT_EQ(Steps(canary(1, "INSTANCE_COUNT"), 4), "0.25:5 1.00:0");
    EXPECT_EQ(Steps(BlueGreen(R"("Type":"CANARY","WaitIntervalInSeconds":5)")), "CanarySize is required.");
    EXPECT_EQ(Steps(BlueGreen(R"("Type":"LINEAR","WaitIntervalInSeconds":5,"CanarySize":{})")),
              "CanarySize does not belong to traffic routing of type LINEAR.");
    EXPECT_EQ(Steps(BlueGreen(R"("Type":"ALL_AT_ONCE","WaitIntervalInSeconds":0)",
                              R"(,"TerminationWaitInSeconds":900,"MaximumExecutionTimeoutInSeconds":900)")),
              "MaximumExecutionTimeoutInSeconds must be more than the 900 seconds that the steps wait in all.");
    EXPECT_EQ(Steps(R"({"RollingUpdatePolicy":{},"BlueGreenUpdatePolicy":{}})"),
              "Give BlueGreenUpdatePolicy or RollingUpdatePolicy, not both.");
}

}  // namespace
}  // namespace espalier::hosting
