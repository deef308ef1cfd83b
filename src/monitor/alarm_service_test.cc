#include "monitor/alarm_service.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>

namespace espalier::monitor {
namespace {

class FakeClock final : public Clock {
  public:
    UnixMillis WallMillis() const override { return now; }
    std::chrono::steady_clock::time_point Now() const override {
        return std::chrono::steady_clock::time_point(std::chrono::milliseconds(now));
    }
    UnixMillis now = 1'700'000'040'000;  // a whole minute
};

class AlarmServiceTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "alarms_test_XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        Reopen();
    }
    void TearDown() override {
        service_.reset();
        database_.reset();
        std::filesystem::remove_all(folder_);
    }
    void Reopen() {
        service_.reset();
        database_.reset();
        database_ = meta::Database::Open(folder_ + "/meta.db").value();
        metrics_ = std::make_unique<Metrics>(*database_);
        service_ = std::make_unique<AlarmService>(AlarmService::Options{.database = database_.get(),
                                                                        .metrics = metrics_.get(),
                                                                        .clock = &clock_,
                                                                        .tick = std::chrono::milliseconds(0)});
    }
    static nlohmann::json Request(int n, int m, const char* missing = "missing") {
        return {{"AlarmName", "a"},           {"Namespace", "test"},
                {"MetricName", "errors"},     {"Dimensions", {{{"Name", "d"}, {"Value", "1"}}}},
                {"Statistic", "Sum"},         {"Period", 60},
                {"EvaluationPeriods", n},     {"DatapointsToAlarm", m},
                {"Threshold", 2.0},           {"ComparisonOperator", "GreaterThanThreshold"},
                {"TreatMissingData", missing}};
    }
    void PutValue(double value) {
        MetricValues values{.metric = {scope_, "test", "errors", {{"d", "1"}}}, .time = clock_.now, .values = {}};
        values.values.Add(value);
        ASSERT_TRUE(metrics_->Put(std::span(&values, 1)).has_value());
    }
    std::string State() {
        service_->EvaluateAll();
        return service_->Find(scope_, "a").value()->state;
    }
    std::string PutAlarm(const nlohmann::json& request) {
        Result<void> put = service_->Put(scope_, "a", request);
        return put ? "ok" : put.error().ToString();
    }

    const meta::Scope scope_{"123456789012", "us-east-1"};
    std::string folder_;
    FakeClock clock_;
    std::unique_ptr<meta::Database> database_;
    std::unique_ptr<Metrics> metrics_;
    std::unique_ptr<AlarmService> service_;
};

TEST_F(AlarmServiceTest, GoesOffWhenEnoughWholePeriodsBreachAndComesBack) {
    ASSERT_EQ(PutAlarm(Request(3, 2)), "ok");
    EXPECT_EQ(State(), "INSUFFICIENT_DATA");
    PutValue(1);
    PutValue(2);
    EXPECT_EQ(State(), "INSUFFICIENT_DATA") << "the period has not ended";
    clock_.now += 60'000;
    EXPECT_EQ(State(), "OK") << "one of two";
    PutValue(1);
    clock_.now += 60'000;
    PutValue(5);
    EXPECT_EQ(State(), "OK");
    clock_.now += 60'000;
    EXPECT_EQ(State(), "ALARM");
    const meta::AlarmRecord alarm = *service_->Find(scope_, "a").value();
    EXPECT_EQ(
        alarm.state_reason,
        "Threshold Crossed: 3 out of the last 3 datapoints [5.0 (14/11/23 22:16:00), 1.0 (14/11/23 22:15:00), 3.0 "
        "(14/11/23 22:14:00)] were greater than the threshold (2.0) (minimum 2 datapoints for OK -> ALARM "
        "transition).");
    EXPECT_EQ(nlohmann::json::parse(alarm.state_data)["recentDatapoints"], (std::vector<double>{3, 1, 5}));
    PutValue(0);
    clock_.now += 60'000;
    EXPECT_EQ(State(), "OK");
    std::vector<std::string> summaries;
    const std::vector<meta::AlarmHistoryItem> history = service_->History({.scope = scope_, .name = "a"}).value();
    for (const meta::AlarmHistoryItem& item : history) summaries.push_back(item.summary);
    EXPECT_EQ(summaries,
              (std::vector<std::string>{"Alarm updated from ALARM to OK", "Alarm updated from OK to ALARM",
                                        "Alarm updated from INSUFFICIENT_DATA to OK", "Alarm \"a\" created"}));
}

TEST_F(AlarmServiceTest, AStateThatWasSetStandsUntilAPeriodEndsOrDataCome) {
    ASSERT_EQ(PutAlarm(Request(1, 1, "notBreaching")), "ok");
    EXPECT_EQ(State(), "OK");
    ASSERT_TRUE(service_->SetState(scope_, "a", AlarmState::kAlarm, "by hand", "").has_value());
    EXPECT_EQ(State(), "ALARM");
    clock_.now += 30'000;
    EXPECT_EQ(State(), "ALARM");
    clock_.now += 30'000;
    EXPECT_EQ(State(), "OK");
    EXPECT_EQ(service_->SetState(scope_, "b", AlarmState::kOk, "", "").error().code(), ErrorCode::kNotFound);
}

TEST_F(AlarmServiceTest, EverythingIsThereAfterARestart) {
    ASSERT_EQ(PutAlarm(Request(1, 1, "ignore")), "ok");
    PutValue(7);
    clock_.now += 60'000;
    EXPECT_EQ(State(), "ALARM");
    Reopen();
    EXPECT_EQ(service_->Find(scope_, "a").value()->state, "ALARM");
    clock_.now += 3'600'000;
    EXPECT_EQ(State(), "ALARM") << "missing data are ignored";
    PutValue(1);
    clock_.now += 60'000;
    EXPECT_EQ(State(), "OK");
    EXPECT_FALSE(service_->Delete(scope_, {"a", "b"}).value());
    EXPECT_TRUE(service_->Delete(scope_, {"a"}).value());
    EXPECT_FALSE(service_->Find(scope_, "a").value().has_value());
}

TEST_F(AlarmServiceTest, WhatCannotBeHonouredIsRefusedByName) {
    const auto refused = [&](const char* member, const nlohmann::json& value) {
        nlohmann::json request = Request(1, 1);
        if (value.is_null())
            request.erase(member);
        else
            request[member] = value;
        return PutAlarm(request).find(member) != std::string::npos;
    };
    for (const char* member : {"Threshold", "ComparisonOperator", "EvaluationPeriods", "Period", "Namespace"})
        EXPECT_TRUE(refused(member, nullptr)) << member;
    EXPECT_TRUE(refused("Metrics", {{{"Id", "m"}}}));
    EXPECT_TRUE(refused("AlarmActions", {"arn:aws:sns:us-east-1:123456789012:x"}));
    EXPECT_TRUE(refused("Period", 15));
    EXPECT_TRUE(refused("DatapointsToAlarm", 2));
    EXPECT_TRUE(refused("TreatMissingData", "guess"));
    EXPECT_TRUE(refused("ExtendedStatistic", "p90")) << "beside Statistic";
    nlohmann::json percentile = Request(1, 1);
    percentile.erase("Statistic");
    percentile["ExtendedStatistic"] = "p99.5";
    EXPECT_EQ(PutAlarm(percentile), "ok");
}

TEST_F(AlarmServiceTest, MetricsAreListedInPagesAndForgottenWhenOld) {
    for (int i = 0; i < 5; ++i) {
        MetricValues values{.metric = {scope_, i < 3 ? "x" : "y", "m", {{"i", std::to_string(i)}}},
                            .time = clock_.now + i * 60'000,
                            .values = {}};
        values.values.Add(i);
        ASSERT_TRUE(metrics_->Put(std::span(&values, 1)).has_value());
    }
    std::vector<std::string> seen;
    Metrics::List list{.limit = 2};
    for (int pages = 0; pages < 4; ++pages) {
        const Metrics::Page page = metrics_->ListMetrics(scope_, list).value();
        for (const MetricName& metric : page.metrics) seen.push_back(metric.name_space + metric.dimensions.at("i"));
        if (!page.next) break;
        list.after = page.next;
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"x0", "x1", "x2", "y3", "y4"}));
    EXPECT_EQ(metrics_->ListMetrics(scope_, {.dimensions = {{"i", "3"}}}).value().metrics.size(), 1U);
    EXPECT_EQ(metrics_->ListMetrics(scope_, {.dimensions = {{"i", std::nullopt}}}).value().metrics.size(), 5U);
    EXPECT_EQ(metrics_->ListMetrics(scope_, {.after = "x"}).error().code(), ErrorCode::kInvalidArgument);
    ASSERT_TRUE(metrics_->DropOld(clock_.now + Metrics::kKeptMillis + 150'000).has_value());
    EXPECT_EQ(metrics_->ListMetrics(scope_, {}).value().metrics.size(), 2U);
}

}  // namespace
}  // namespace espalier::monitor
