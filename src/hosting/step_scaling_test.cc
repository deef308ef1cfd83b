#include "hosting/step_scaling.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace espalier::hosting {
namespace {

using Json = nlohmann::json;

Json Step(std::int64_t adjustment, Json lower, Json upper) {
    Json step = {{"ScalingAdjustment", adjustment}};
    if (!lower.is_null()) step["MetricIntervalLowerBound"] = lower;
    if (!upper.is_null()) step["MetricIntervalUpperBound"] = upper;
    return step;
}

Json Policy(const std::string& type, std::vector<Json> steps) {
    return {{"AdjustmentType", type}, {"StepAdjustments", std::move(steps)}};
}

std::string Issue(const Json& configuration) {
    Result<void> checked = CheckStepPolicy(configuration);
    return checked ? "ok" : checked.error().message();
}

/// The example of the user guide: a threshold of 50 %, 10 instances.
TEST(StepScalingTest, TheStepOfTheBreachHolds) {
    const Json policy = Policy("PercentChangeInCapacity", {Step(0, 0, 10), Step(10, 10, 20), Step(30, 20, nullptr)});
    EXPECT_EQ(Issue(policy), "ok");
    EXPECT_EQ(StepCapacity(policy, 10, 9.9, true), 10);
    EXPECT_EQ(StepCapacity(policy, 10, 10, true), 11) << "the lower bound belongs to the step";
    EXPECT_EQ(StepCapacity(policy, 10, 20, true), 13);
    EXPECT_EQ(StepCapacity(policy, 10, 1e9, true), 13);
    EXPECT_EQ(StepCapacity(policy, 10, -1, true), std::nullopt);
    const Json in = Policy("ChangeInCapacity", {Step(-1, -10, 0), Step(-3, nullptr, -10)});
    EXPECT_EQ(Issue(in), "ok");
    EXPECT_EQ(StepCapacity(in, 10, -9.9, false), 9);
    EXPECT_EQ(StepCapacity(in, 10, -10, false), 7) << "going down, the upper bound belongs to the step";
    EXPECT_EQ(StepCapacity(in, 10, 0, false), 9);
    EXPECT_EQ(StepCapacity(Policy("ExactCapacity", {Step(4, 0, nullptr)}), 10, 3, true), 4);
}

TEST(StepScalingTest, PercentagesAreRoundedAsAws) {
    const auto percent = [](std::int64_t percent, std::int64_t count, std::int64_t magnitude_min) {
        Json policy = Policy("PercentChangeInCapacity", {Step(percent, 0, nullptr)});
        if (magnitude_min > 0) policy["MinAdjustmentMagnitude"] = magnitude_min;
        EXPECT_EQ(Issue(policy), "ok");
        return *StepCapacity(policy, count, 1, true) - count;
    };
    EXPECT_EQ(percent(127, 10, 0), 12);
    EXPECT_EQ(percent(6, 10, 0), 1);
    EXPECT_EQ(percent(-6, 10, 0), -1);
    EXPECT_EQ(percent(-67, 10, 0), -6);
    EXPECT_EQ(percent(25, 4, 2), 2);
    EXPECT_EQ(percent(-25, 4, 2), -2);
    EXPECT_EQ(percent(0, 4, 2), 0);
    EXPECT_EQ(percent(50, 0, 2), 0) << "half of nothing";
}

TEST(StepScalingTest, WhatCannotBeHonouredIsRefused) {
    EXPECT_EQ(Issue({{"StepAdjustments", {Step(1, 0, nullptr)}}}),
              "StepScalingPolicyConfiguration needs AdjustmentType.");
    EXPECT_EQ(Issue(Policy("ChangeInCapacity", {})), "StepAdjustments needs at least one step.");
    EXPECT_EQ(Issue(Policy("ChangeInCapacity", {Step(1, nullptr, nullptr)})),
              "A step needs MetricIntervalLowerBound, MetricIntervalUpperBound or both.");
    EXPECT_EQ(Issue(Policy("ChangeInCapacity", {Step(1, 5, 5)})),
              "MetricIntervalUpperBound must be greater than MetricIntervalLowerBound.");
    EXPECT_EQ(Issue(Policy("ChangeInCapacity", {Step(1, 0, 10), Step(2, 20, nullptr)})),
              "StepAdjustments overlap or leave a gap between 10 and 20.");
    EXPECT_EQ(Issue(Policy("ChangeInCapacity", {Step(1, 0, 10), Step(2, 5, nullptr)})),
              "StepAdjustments overlap or leave a gap between 10 and 5.");
    EXPECT_EQ(Issue(Policy("ChangeInCapacity", {Step(1, 0, 10)})),
              "One step must be without MetricIntervalUpperBound, as another has a positive one.");
    EXPECT_EQ(Issue(Policy("ChangeInCapacity", {Step(1, -10, 0)})),
              "One step must be without MetricIntervalLowerBound, as another has a negative one.");
    EXPECT_EQ(Issue(Policy("ExactCapacity", {Step(-1, 0, nullptr)})),
              "ScalingAdjustment of ExactCapacity must not be negative.");
    Json magnitude = Policy("ChangeInCapacity", {Step(1, 0, nullptr)});
    magnitude["MinAdjustmentMagnitude"] = 2;
    EXPECT_EQ(Issue(magnitude), "MinAdjustmentMagnitude is for the adjustment type PercentChangeInCapacity.");
    Json cooldown = Policy("ChangeInCapacity", {Step(1, 0, nullptr)});
    cooldown["Cooldown"] = -1;
    EXPECT_EQ(Issue(cooldown), "Cooldown is negative.");
}

}  // namespace
}  // namespace espalier::hosting
