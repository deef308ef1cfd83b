#include "api/sagemaker/search_expression.h"

#include <gtest/gtest.h>

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

const json kJob = json::parse(R"({
    "TrainingJobName": "Job-7", "TrainingTimeInSeconds": 90, "CreationTime": 1700000000.5,
    "HyperParameters": {"eta": "0.30", "a.b": "dotted", "mode": "fast"},
    "InputDataConfig": [{"ChannelName": "train", "Uri": "s3://b/train"}, {"ChannelName": "test", "Uri": "s3://b/x"}],
    "FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.875}],
    "Tags": [{"Key": "team.x", "Value": "blue"}]})");

bool Holds(const std::string& name, const std::string& word, const std::string& value = "") {
    json filter = {{"Name", name}, {"Operator", word}};
    if (!value.empty()) filter["Value"] = value;
    return Satisfies(kJob, {{"Filters", json::array({filter})}});
}

TEST(SearchExpression, EachOperator) {
    EXPECT_TRUE(Holds("TrainingJobName", "Equals", "Job-7"));
    EXPECT_FALSE(Holds("TrainingJobName", "Equals", "job-7")) << "text is compared with its case";
    EXPECT_TRUE(Holds("TrainingJobName", "Contains", "JOB"));
    EXPECT_TRUE(Holds("TrainingJobName", "NotEquals", "x"));
    EXPECT_TRUE(Holds("Missing", "NotEquals", "x"));
    EXPECT_FALSE(Holds("Missing", "Equals", "x"));
    EXPECT_TRUE(Holds("Missing", "NotExists"));
    EXPECT_TRUE(Holds("HyperParameters.mode", "Exists"));
    EXPECT_TRUE(Holds("HyperParameters.mode", "In", "slow,fast"));
    EXPECT_TRUE(Holds("HyperParameters.mode", "In", R"(["fast"])"));
    EXPECT_FALSE(Holds("HyperParameters.mode", "In", "slow"));
    EXPECT_TRUE(Holds("HyperParameters.eta", "Equals", "0.3")) << "numbers compare as numbers";
    EXPECT_TRUE(Holds("HyperParameters.eta", "LessThan", "0.31"));
    EXPECT_FALSE(Holds("HyperParameters.eta", "GreaterThan", "0.3"));
    EXPECT_TRUE(Holds("HyperParameters.eta", "GreaterThanOrEqualTo", "0.3"));
    EXPECT_TRUE(Holds("TrainingTimeInSeconds", "GreaterThan", "9")) << "not as text";
    EXPECT_FALSE(Holds("TrainingTimeInSeconds", "GreaterThan", "abc"));
    EXPECT_TRUE(Holds("CreationTime", "LessThanOrEqualTo", "2023-11-14T22:13:20.500Z"));
    EXPECT_FALSE(Holds("CreationTime", "GreaterThan", "2023-11-14T22:13:20.500Z"));
    EXPECT_TRUE(Holds("Metrics.validation:auc", "GreaterThan", "0.8"));
    EXPECT_FALSE(Holds("Metrics.train:auc", "Exists"));
    EXPECT_TRUE(Holds("Tags.team.x", "Equals", "blue"));
    EXPECT_TRUE(Holds("HyperParameters.a.b", "Equals", "dotted"));
}

TEST(SearchExpression, ListsAndNestedFilters) {
    EXPECT_TRUE(Holds("InputDataConfig.ChannelName", "Equals", "test")) << "any element will do";
    const auto nested = [](const std::string& channel, const std::string& uri) {
        const json expression = {
            {"NestedFilters",
             json::array({{{"NestedPropertyName", "InputDataConfig"},
                           {"Filters", json::array({{{"Name", "InputDataConfig.ChannelName"}, {"Value", channel}},
                                                    {{"Name", "InputDataConfig.Uri"}, {"Value", uri}}})}}})}};
        EXPECT_TRUE(CheckExpression(expression));
        return Satisfies(kJob, expression);
    };
    EXPECT_TRUE(nested("test", "s3://b/x"));
    EXPECT_FALSE(nested("test", "s3://b/train")) << "one and the same element";
}

TEST(SearchExpression, AndOrAndParts) {
    const json yes = {{"Name", "HyperParameters.mode"}, {"Value", "fast"}};
    const json no = {{"Name", "HyperParameters.mode"}, {"Value", "slow"}};
    EXPECT_TRUE(Satisfies(kJob, json::object()));
    EXPECT_FALSE(Satisfies(kJob, {{"Filters", {yes, no}}}));
    EXPECT_TRUE(Satisfies(kJob, {{"Filters", {yes, no}}, {"Operator", "Or"}}));
    const json part = {{"Filters", {yes, no}}, {"Operator", "Or"}};
    EXPECT_TRUE(Satisfies(kJob, {{"Filters", json::array({yes})}, {"SubExpressions", json::array({part})}}));
    EXPECT_FALSE(Satisfies(kJob, {{"Filters", json::array({no})}, {"SubExpressions", json::array({part})}}));
}

TEST(SearchExpression, WhatMakesNoSenseIsRefused) {
    EXPECT_FALSE(CheckExpression({{"Filters", json::array({{{"Name", "a"}, {"Operator", "Equals"}}})}}));
    EXPECT_FALSE(
        CheckExpression({{"Filters", json::array({{{"Name", "a"}, {"Operator", "Exists"}, {"Value", "x"}}})}}));
    json deep = json::object();
    for (int i = 0; i < 25; ++i) deep = {{"SubExpressions", json::array({deep})}};
    EXPECT_FALSE(CheckExpression(deep));
}

TEST(SearchExpression, Order) {
    EXPECT_TRUE(ComesBefore("9", "10"));
    EXPECT_TRUE(ComesBefore(2.5, "10"));
    EXPECT_TRUE(ComesBefore("a", "b"));
    EXPECT_TRUE(ComesBefore("10", "b")) << "numbers first";
    EXPECT_FALSE(ComesBefore("a", "a"));
}

TEST(SearchExpression, EveryNameFindsAValue) {
    std::set<std::string> names;
    CollectNames(kJob, names);
    EXPECT_EQ(names, (std::set<std::string>{"CreationTime", "HyperParameters.a.b", "HyperParameters.eta",
                                            "HyperParameters.mode", "InputDataConfig.ChannelName",
                                            "InputDataConfig.Uri", "Metrics.validation:auc", "Tags.team.x",
                                            "TrainingJobName", "TrainingTimeInSeconds"}));
    for (const std::string& name : names) EXPECT_FALSE(ValuesOf(kJob, name).empty()) << name;
}

}  // namespace
}  // namespace espalier::api::sagemaker
