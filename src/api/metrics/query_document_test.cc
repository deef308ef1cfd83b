#include "api/metrics/query_document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace espalier::api::metrics {
namespace {

using nlohmann::json;

class QueryDocument : public testing::Test {
  protected:
    std::variant<json, WireError> Read(const std::string& operation, const QueryForm& form) {
        return FromQuery(*model_.InputOf(operation), form);
    }
    const sagemaker::ServiceModel model_ = sagemaker::ServiceModel::Load(sagemaker::kCloudWatchModelJson);
};

TEST_F(QueryDocument, AFormBecomesTheDocumentOfItsShape) {
    EXPECT_EQ(std::get<json>(Read("PutMetricData", {{"Action", "PutMetricData"},
                                                    {"Namespace", "n"},
                                                    {"MetricData.member.1.MetricName", "m"},
                                                    {"MetricData.member.1.Value", "1.5"},
                                                    {"MetricData.member.1.Dimensions.member.1.Name", "d"},
                                                    {"MetricData.member.1.Dimensions.member.1.Value", "v"},
                                                    {"MetricData.member.1.Timestamp", "2026-01-02T03:04:05Z"},
                                                    {"MetricData.member.2.MetricName", "k"},
                                                    {"MetricData.member.2.Values.member.1", "1"},
                                                    {"MetricData.member.2.Values.member.2", "-2e3"},
                                                    {"MetricData.member.2.StorageResolution", "60"},
                                                    {"Unknown", "x"}})),
              json::parse(R"({"Namespace": "n", "MetricData": [
                  {"MetricName": "m", "Value": 1.5, "Timestamp": "2026-01-02T03:04:05Z",
                   "Dimensions": [{"Name": "d", "Value": "v"}]},
                  {"MetricName": "k", "Values": [1.0, -2000.0], "StorageResolution": 60}]})"));
    EXPECT_EQ(std::get<json>(Read("DescribeAlarms", {{"AlarmNames", ""}, {"MaxRecords", "7"}})),
              json::parse(R"({"AlarmNames": [], "MaxRecords": 7})"));
    EXPECT_EQ(std::get<json>(Read("PutMetricAlarm", {{"ActionsEnabled", "false"}})), json({{"ActionsEnabled", false}}));
}

TEST_F(QueryDocument, AValueOfAnotherTypeIsNamed) {
    for (const auto& [name, value] : {std::pair("Period", "60s"), std::pair("Threshold", "nan"),
                                      std::pair("ActionsEnabled", "yes"), std::pair("EvaluationPeriods", "")}) {
        const auto read = Read("PutMetricAlarm", {{name, value}});
        ASSERT_TRUE(std::holds_alternative<WireError>(read)) << name;
        EXPECT_EQ(std::get<WireError>(read).type, "MalformedInput");
        EXPECT_NE(std::get<WireError>(read).message.find(name), std::string::npos);
    }
}

TEST(QueryXml, ListsHaveMembersAndTimesAreText) {
    EXPECT_EQ(ToQueryXml(json::parse(R"({"Label": "a<b", "Datapoints": [{"Timestamp": 1700000000.5, "Sum": 2.0}],
                                         "Timestamps": [1700000000], "Empty": [], "Flag": true, "None": null})")),
              "<Datapoints><member><Sum>2.0</Sum><Timestamp>2023-11-14T22:13:20.500Z</Timestamp></member></Datapoints>"
              "<Empty></Empty><Flag>true</Flag><Label>a&lt;b</Label>"
              "<Timestamps><member>2023-11-14T22:13:20.000Z</member></Timestamps>");
}

}  // namespace
}  // namespace espalier::api::metrics
