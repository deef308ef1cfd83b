#include "hosting/autoscaler.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hosting/hosting_fixture.h"

namespace espalier::hosting {
namespace {

constexpr const char* kResource = "endpoint/e/variant/a";

class AutoscalerTest : public EndpointServiceTest {
  protected:
    void SetUp() override {
        EndpointServiceTest::SetUp();
        CreateConstantModel("m", 1.0F);
        CreateConfig("c", {{.name = "a", .model_name = "m"}});
        ASSERT_EQ(Create("e", "c"), "ok");
        scaler_ = std::make_unique<Autoscaler>(Autoscaler::Options{.database = database_.get(),
                                                                   .endpoints = service_.get(),
                                                                   .metrics = metrics_.get(),
                                                                   .alarms = alarms_.get(),
                                                                   .clock = &clock_,
                                                                   .tick = std::chrono::milliseconds(0)});
        ASSERT_EQ(Text(scaler_->Register(scope_, kResource, 1, 4, {})), "ok");
    }
    void TearDown() override {
        scaler_.reset();
        EndpointServiceTest::TearDown();
    }
    /// The endpoint's requests may wait, and it may have no instance.
    void MakeAsynchronous() {
        EndpointConfigSpec spec{.production = {{.name = "a", .model_name = "m"}},
                                .shadow = {},
                                .capture = std::nullopt,
                                .async = AsyncSpec{.output_uri = "s3://bucket/out"},
                                .echo = "{}"};
        ASSERT_EQ(Text(service_->catalog().CreateEndpointConfig(scope_, "d", spec, {})), "ok");
        ASSERT_EQ(Text(service_->Update(scope_, "e", "d", {}, "")), "ok");
        ASSERT_EQ(Text(scaler_->Register(scope_, kResource, 0, 4, {})), "ok");
    }
    static nlohmann::json Policy(double target, int cooldown_seconds = 0) {
        return {{"TargetValue", target},
                {"PredefinedMetricSpecification", {{"PredefinedMetricType", "SageMakerVariantInvocationsPerInstance"}}},
                {"ScaleOutCooldown", cooldown_seconds},
                {"ScaleInCooldown", cooldown_seconds}};
    }
    void PutPolicy(const nlohmann::json& policy) {
        ASSERT_TRUE(scaler_->PutPolicy(scope_, kResource, "p", policy).has_value());
    }
    /// So many whole minutes with so many requests each, then a look.
    void Minutes(int count, int requests) {
        for (int minute = 0; minute < count; ++minute) {
            for (int i = 0; i < requests; ++i) ASSERT_EQ(Invoke("e"), "1.0");
            service_->BookTraffic();
            clock_.Advance(std::chrono::minutes(1));
        }
        scaler_->EvaluateAll();
    }
    int Count() { return service_->Find(scope_, "e")->spec.production[0].spec.num_instances; }

    std::unique_ptr<Autoscaler> scaler_;
};

TEST_F(AutoscalerTest, GrowsAndShrinksWithTheTraffic) {
    PutPolicy(Policy(10));
    Minutes(2, 25);
    EXPECT_EQ(Count(), 1) << "two minutes may be a whim";
    Minutes(1, 25);
    EXPECT_EQ(Count(), 3) << "25 a minute for an instance that is to have 10";
    scaler_->EvaluateAll();
    EXPECT_EQ(Count(), 3) << "the minutes of one instance say nothing about three";
    Minutes(10, 25);
    EXPECT_EQ(Count(), 3) << "8.3 each is below the target, but not enough to shrink";
    Minutes(16, 12);
    EXPECT_EQ(Count(), 2) << "4 each";
    Minutes(20, 0);
    EXPECT_EQ(Count(), 2) << "minutes without values call for nothing";
    const std::vector<meta::ScalingActivity> done = scaler_->rows().Activities(scope_, kResource).value();
    ASSERT_EQ(done.size(), 2U);
    EXPECT_EQ(done[0].description, "Setting desired instance count to 2.");
    EXPECT_EQ(done[1].description, "Setting desired instance count to 3.");
}

TEST_F(AutoscalerTest, BoundsAndCooldownsHold) {
    PutPolicy(Policy(10, 600));
    Minutes(3, 90);
    EXPECT_EQ(Count(), 4) << "nine are wanted, four are allowed";
    ASSERT_EQ(Text(scaler_->Register(scope_, kResource, std::nullopt, 2, {})), "ok");
    scaler_->EvaluateAll();
    EXPECT_EQ(Count(), 2) << "the bounds hold at once";
    ASSERT_EQ(Text(scaler_->Register(scope_, kResource, std::nullopt, 8, {})), "ok");
    Minutes(4, 90);
    EXPECT_EQ(Count(), 2) << "the cooldown holds";
    Minutes(6, 90);
    EXPECT_EQ(Count(), 8);
}

TEST_F(AutoscalerTest, ScalingCanBeSuspendedAndIsLeftAloneDuringUpdates) {
    PutPolicy(Policy(10));
    const nlohmann::json suspended = {{"SuspendedState", {{"DynamicScalingOutSuspended", true}}}};
    ASSERT_EQ(Text(scaler_->Register(scope_, kResource, std::nullopt, std::nullopt, suspended)), "ok");
    Minutes(4, 30);
    EXPECT_EQ(Count(), 1);
    const nlohmann::json resumed = {{"SuspendedState", {{"DynamicScalingOutSuspended", false}}}};
    ASSERT_EQ(Text(scaler_->Register(scope_, kResource, std::nullopt, std::nullopt, resumed)), "ok");
    ASSERT_EQ(Text(service_->Update(scope_, "e", "c", {}, R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{
        "Type":"ALL_AT_ONCE","WaitIntervalInSeconds":0},"TerminationWaitInSeconds":30}})")),
              "ok");
    scaler_->EvaluateAll();
    EXPECT_EQ(Count(), 1) << "the endpoint is being updated";
    clock_.Advance(std::chrono::seconds(31));
    service_->AdvanceRollouts();
    scaler_->EvaluateAll();
    EXPECT_EQ(Count(), 3);
}

TEST_F(AutoscalerTest, AsynchronousEndpointsShrinkToNothingAndComeBack) {
    MakeAsynchronous();
    PutPolicy({{"TargetValue", 5.0},
               {"ScaleOutCooldown", 0},
               {"ScaleInCooldown", 0},
               {"CustomizedMetricSpecification",
                {{"MetricName", "ApproximateBacklogSizePerInstance"},
                 {"Namespace", "AWS/SageMaker"},
                 {"Dimensions", {{{"Name", "EndpointName"}, {"Value", "e"}}}},
                 {"Statistic", "Average"}}}});
    Minutes(16, 0);
    EXPECT_EQ(Count(), 0) << "nothing waits";
    const auto endpoint = service_->FindLive(scope_.account, scope_.region, "e");
    for (int i = 0; i < 12; ++i)
        ASSERT_TRUE(service_->async().Accept(*endpoint, {.input_location = "s3://bucket/in"}).has_value());
    Minutes(4, 0);
    EXPECT_EQ(Count(), 3) << "12 where each is to have 5";
}

class StepAutoscalerTest : public AutoscalerTest {
  protected:
    /// One more for each 10 above the alarm's 50, and an alarm that names the policy.
    void PutStepPolicy(int cooldown_seconds) {
        const nlohmann::json policy = {
            {"AdjustmentType", "ChangeInCapacity"},
            {"Cooldown", cooldown_seconds},
            {"MetricAggregationType", "Maximum"},
            {"StepAdjustments",
             {{{"MetricIntervalLowerBound", 0}, {"MetricIntervalUpperBound", 10}, {"ScalingAdjustment", 1}},
              {{"MetricIntervalLowerBound", 10}, {"ScalingAdjustment", 2}}}}};
        const Result<std::string> id = scaler_->PutPolicy(scope_, kResource, "p", policy);
        ASSERT_TRUE(id.has_value());
        alarm_["AlarmActions"] = {"arn:aws:autoscaling:us-east-1:1:scalingPolicy:" + *id + ":resource/sagemaker/x"};
        PutAlarm();
    }
    void PutAlarm() { ASSERT_EQ(Text(alarms_->Put(scope_, "busy", alarm_)), "ok"); }
    /// A whole minute with that load, then a look.
    void Minute(double load) {
        monitor::MetricValues values{.metric = {scope_, "own", "load", {}}, .time = clock_.WallMillis(), .values = {}};
        values.values.Add(load);
        values.values.Add(0);  // the average would breach nothing
        ASSERT_TRUE(metrics_->Put(std::span(&values, 1)).has_value());
        clock_.Advance(std::chrono::minutes(1));
        Look();
    }
    void Look() {
        alarms_->EvaluateAll();
        scaler_->EvaluateAll();
    }

    nlohmann::json alarm_ = {{"AlarmName", "busy"},  {"Namespace", "own"},
                             {"MetricName", "load"}, {"Statistic", "Maximum"},
                             {"Period", 60},         {"EvaluationPeriods", 1},
                             {"Threshold", 50.0},    {"ComparisonOperator", "GreaterThanOrEqualToThreshold"}};
};

TEST_F(StepAutoscalerTest, StepsOnceAPeriodWhileTheAlarmIsOn) {
    PutStepPolicy(0);
    Minute(49);
    EXPECT_EQ(Count(), 1);
    Minute(50);
    EXPECT_EQ(Count(), 2);
    Look();
    EXPECT_EQ(Count(), 2) << "a period is acted on once";
    Minute(60);
    EXPECT_EQ(Count(), 4) << "ten above the threshold";
    Minute(1000);
    EXPECT_EQ(Count(), 4) << "the bounds hold";
    const std::vector<meta::ScalingActivity> done = scaler_->rows().Activities(scope_, kResource).value();
    ASSERT_EQ(done.size(), 2U);
    EXPECT_EQ(done[0].cause, "monitor alarm busy in state ALARM triggered policy p: 10 from its threshold");
    Minute(0);
    EXPECT_EQ(Count(), 4) << "nobody said what to do when it is over";
}

/// How AWS's guide brings an asynchronous endpoint back: one instance as soon as anything waits.
TEST_F(StepAutoscalerTest, AStepPolicyBringsAnEndpointBackFromNothing) {
    MakeAsynchronous();
    const WeightChange none{.variant_name = "a", .weight = std::nullopt, .num_instances = 0};
    ASSERT_EQ(Text(service_->UpdateWeights(scope_, "e", std::span(&none, 1))), "ok");
    alarm_ = {{"AlarmName", "busy"},
              {"Namespace", "AWS/SageMaker"},
              {"MetricName", "HasBacklogWithoutCapacity"},
              {"Dimensions", {{{"Name", "EndpointName"}, {"Value", "e"}}}},
              {"Statistic", "Average"},
              {"Period", 60},
              {"EvaluationPeriods", 1},
              {"Threshold", 1.0},
              {"ComparisonOperator", "GreaterThanOrEqualToThreshold"}};
    PutStepPolicy(0);
    service_->BookTraffic();
    clock_.Advance(std::chrono::minutes(1));
    Look();
    EXPECT_EQ(Count(), 0) << "nothing waits";
    const auto endpoint = service_->FindLive(scope_.account, scope_.region, "e");
    ASSERT_TRUE(service_->async().Accept(*endpoint, {.input_location = "s3://bucket/in"}).has_value());
    for (int minute = 0; minute < 2; ++minute) {
        service_->BookTraffic();
        clock_.Advance(std::chrono::minutes(1));
        Look();
    }
    EXPECT_EQ(Count(), 1);
}

TEST_F(StepAutoscalerTest, CooldownsHoldAndStatesCanBeGiven) {
    PutStepPolicy(300);
    Minute(50);
    EXPECT_EQ(Count(), 2);
    Minute(70);
    EXPECT_EQ(Count(), 2) << "the cooldown holds";
    for (int minute = 0; minute < 4; ++minute) Minute(0);
    EXPECT_EQ(Count(), 2);
    const auto set = [&](const char* data) {
        EXPECT_EQ(Text(alarms_->SetState(scope_, "busy", monitor::AlarmState::kAlarm, "a drill", data)), "ok");
        scaler_->EvaluateAll();
    };
    clock_.Advance(std::chrono::minutes(2));
    set("");
    EXPECT_EQ(Count(), 2) << "nobody knows by how far it is breached";
    set(R"({"recentDatapoints":[55.0,61.0]})");
    EXPECT_EQ(Count(), 4);
}

TEST_F(StepAutoscalerTest, AlarmsWithoutActionsAndSuspendedTargetsDoNothing) {
    PutStepPolicy(0);
    alarm_["ActionsEnabled"] = false;
    PutAlarm();
    Minute(60);
    EXPECT_EQ(Count(), 1);
    alarm_["ActionsEnabled"] = true;
    PutAlarm();
    const nlohmann::json suspended = {{"SuspendedState", {{"DynamicScalingOutSuspended", true}}}};
    ASSERT_EQ(Text(scaler_->Register(scope_, kResource, std::nullopt, std::nullopt, suspended)), "ok");
    Minute(60);
    EXPECT_EQ(Count(), 1);
    const nlohmann::json resumed = {{"SuspendedState", {{"DynamicScalingOutSuspended", false}}}};
    ASSERT_EQ(Text(scaler_->Register(scope_, kResource, std::nullopt, std::nullopt, resumed)), "ok");
    Minute(60);
    EXPECT_EQ(Count(), 3);
}

TEST_F(AutoscalerTest, WhatCannotBeScaledIsRefused) {
    const auto refused = [&](const char* resource, std::optional<std::int64_t> low, std::optional<std::int64_t> high) {
        return Text(scaler_->Register(scope_, resource, low, high, {}));
    };
    EXPECT_EQ(refused("table/t", 1, 2), "The resource id table/t must be endpoint/NAME/variant/NAME.");
    EXPECT_EQ(refused("endpoint/e/variant/b", 1, 2), "The endpoint e has no variant b.");
    EXPECT_NE(refused("endpoint/x/variant/a", 1, 2).find("Could not find endpoint"), std::string::npos);
    EXPECT_EQ(refused(kResource, 3, 2), "MaxCapacity must not be less than MinCapacity.");
    EXPECT_EQ(refused(kResource, 0, 2),
              "MinCapacity must be at least 1: a variant without instances could not answer.");
    nlohmann::json policy = Policy(0);
    EXPECT_FALSE(scaler_->PutPolicy(scope_, kResource, "p", policy).has_value());
    policy = Policy(1);
    policy["PredefinedMetricSpecification"]["PredefinedMetricType"] = "ALBRequestCountPerTarget";
    EXPECT_FALSE(scaler_->PutPolicy(scope_, kResource, "p", policy).has_value());
    EXPECT_EQ(scaler_->PutPolicy(scope_, "endpoint/e/variant/z", "p", Policy(1)).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace espalier::hosting
