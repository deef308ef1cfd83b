#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hosting/hosting_fixture.h"

namespace espalier::hosting {
namespace {

constexpr const char* kCanaryDeployment = R"({"BlueGreenUpdatePolicy":{"TrafficRoutingConfiguration":{"Type":"CANARY",
    "WaitIntervalInSeconds":60,"CanarySize":{"Type":"CAPACITY_PERCENT","Value":25}},"TerminationWaitInSeconds":30,
    "MaximumExecutionTimeoutInSeconds":600},"AutoRollbackConfiguration":{"Alarms":[{"AlarmName":"errors"}]}})";

class RolloutTest : public EndpointServiceTest {
  protected:
    void SetUp() override {
        EndpointServiceTest::SetUp();
        CreateConstantModel("old", 1.0F);
        CreateConstantModel("new", 2.0F);
        CreateConfig("c1", {{.name = "a", .model_name = "old", .num_instances = 4}});
        CreateConfig("c2", {{.name = "a", .model_name = "new", .num_instances = 4}});
        ASSERT_EQ(Create("e", "c1"), "ok");
        const nlohmann::json alarm = {{"Namespace", "n"},
                                      {"MetricName", "m"},
                                      {"Statistic", "Sum"},
                                      {"Period", 60},
                                      {"EvaluationPeriods", 1},
                                      {"Threshold", 1.0},
                                      {"TreatMissingData", "ignore"},
                                      {"ComparisonOperator", "GreaterThanThreshold"}};
        ASSERT_TRUE(alarms_->Put(scope_, "errors", alarm).has_value());
    }
    std::string Update(const std::string& config, const std::string& deployment) {
        return Text(service_->Update(scope_, "e", config, {}, deployment));
    }
    /// How many of 100 requests the new model answers.
    int NewShare() {
        int answers = 0;
        for (int i = 0; i < 100; ++i) answers += Invoke("e") == "2.0" ? 1 : 0;
        return answers;
    }
    void Pass(int seconds) {
        clock_.Advance(std::chrono::seconds(seconds));
        service_->AdvanceRollouts();
    }
    void SoundAlarm() {
        ASSERT_TRUE(alarms_->SetState(scope_, "errors", monitor::AlarmState::kAlarm, "too many", "").has_value());
    }
    std::string FailureReason() { return service_->Find(scope_, "e")->spec.failure_reason; }
};

TEST_F(RolloutTest, ACanaryBakesThenTheRestFollowsAndBakesToo) {
    ASSERT_EQ(Update("c2", kCanaryDeployment), "ok");
    EXPECT_EQ(Status("e"), "Updating");
    EXPECT_NEAR(NewShare(), 25, 2);
    EXPECT_EQ(Update("c2", ""),
              "Cannot update in-progress endpoint \"arn:aws:sagemaker:us-east-1:123456789012:endpoint/e\".");
    EXPECT_NE(Text(service_->Delete(scope_, "e")), "ok");
    Pass(59);
    EXPECT_NEAR(NewShare(), 25, 2);
    Pass(1);
    EXPECT_EQ(NewShare(), 100);
    EXPECT_EQ(Status("e"), "Updating") << "the whole bakes";
    Pass(29);
    EXPECT_EQ(Status("e"), "Updating");
    Pass(1);
    EXPECT_EQ(Status("e"), "InService");
    EXPECT_EQ(service_->Find(scope_, "e")->spec.config_name, "c2");
    EXPECT_EQ(FailureReason(), "");
    EXPECT_EQ(NewShare(), 100);
    EXPECT_EQ(NumArchives(), 1U) << "the old fleet's archive is gone";
}

TEST_F(RolloutTest, AnAlarmSendsAllTrafficBackAtOnceWhileBaking) {
    ASSERT_EQ(Update("c2", kCanaryDeployment), "ok");
    Pass(60);
    EXPECT_EQ(NewShare(), 100);
    SoundAlarm();
    Pass(1);
    EXPECT_EQ(NewShare(), 0);
    EXPECT_EQ(Status("e"), "RollingBack");
    Pass(0);
    EXPECT_EQ(Status("e"), "InService");
    EXPECT_EQ(service_->Find(scope_, "e")->spec.config_name, "c1");
    EXPECT_EQ(FailureReason(), "The update to c2 was rolled back. The alarm errors is in state ALARM: too many");
    ASSERT_TRUE(alarms_->SetState(scope_, "errors", monitor::AlarmState::kOk, "fine", "").has_value());
    ASSERT_EQ(Update("c2", ""), "ok");
    EXPECT_EQ(FailureReason(), "") << "a good update takes the reason away";
}

TEST_F(RolloutTest, EveryStateGoesOnAfterARestart) {
    ASSERT_EQ(Update("c2", kCanaryDeployment), "ok");
    Reopen();
    EXPECT_EQ(Status("e"), "Updating");
    EXPECT_NEAR(NewShare(), 25, 2);
    ASSERT_TRUE(service_->catalog().Delete(meta::ResourceKind::kModel, scope_, "new").has_value());
    Pass(60);
    Reopen();
    EXPECT_EQ(Status("e"), "Updating");
    EXPECT_EQ(NewShare(), 100);
    SoundAlarm();
    Pass(1);
    Reopen();
    EXPECT_EQ(Status("e"), "RollingBack");
    EXPECT_EQ(NewShare(), 0);
    Pass(0);
    EXPECT_EQ(Status("e"), "InService");
    Reopen();
    EXPECT_EQ(Status("e"), "InService");
    EXPECT_EQ(NewShare(), 0);
    EXPECT_NE(FailureReason(), "");
}

TEST_F(RolloutTest, BatchesRollForwardAndBack) {
    const std::string rolling = R"({"RollingUpdatePolicy":{"MaximumBatchSize":{"Type":"INSTANCE_COUNT","Value":2},
        "WaitIntervalInSeconds":10,"RollbackMaximumBatchSize":{"Type":"CAPACITY_PERCENT","Value":25}},
        "AutoRollbackConfiguration":{"Alarms":[{"AlarmName":"errors"}]}})";
    ASSERT_EQ(Update("c2", rolling), "ok");
    EXPECT_NEAR(NewShare(), 50, 2);
    Pass(10);
    EXPECT_EQ(NewShare(), 100);
    SoundAlarm();
    Pass(1);
    EXPECT_NEAR(NewShare(), 75, 2);
    Pass(9);
    EXPECT_NEAR(NewShare(), 75, 2);
    Pass(1);
    EXPECT_NEAR(NewShare(), 50, 2);
    Pass(10);
    Pass(10);
    EXPECT_EQ(NewShare(), 0);
    Pass(0);
    EXPECT_EQ(Status("e"), "InService");
}

TEST_F(RolloutTest, TimeIsLimitedAndAlarmsMustExist) {
    EXPECT_EQ(Update("c2", R"({"AutoRollbackConfiguration":{"Alarms":[{"AlarmName":"none"}]}})"),
              "AutoRollbackConfiguration names the alarm none, which does not exist.");
    ASSERT_EQ(Update("c2", kCanaryDeployment), "ok");
    Pass(601);
    Pass(0);
    EXPECT_EQ(Status("e"), "InService");
    EXPECT_EQ(FailureReason(), "The update to c2 was rolled back. The deployment took more than 600 seconds.");
    ASSERT_EQ(Update("c2", kCanaryDeployment), "ok");
    ASSERT_TRUE(alarms_->Delete(scope_, {"errors"}).has_value());
    Pass(1);
    Pass(0);
    EXPECT_EQ(FailureReason(), "The update to c2 was rolled back. The alarm errors does not exist any more.");
}

}  // namespace
}  // namespace espalier::hosting
