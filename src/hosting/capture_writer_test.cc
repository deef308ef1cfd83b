#include "hosting/capture_writer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace espalier::hosting {
namespace {

CaptureRecord Record(std::vector<std::string> csv_types, bool input = true, bool output = true) {
    auto plan = std::make_shared<const CapturePlan>(CapturePlan{.share = TrafficShare(1.0),
                                                                .bucket = store::BucketName::Parse("bucket").value(),
                                                                .input = input,
                                                                .output = output,
                                                                .csv_content_types = std::move(csv_types),
                                                                .json_content_types = {"application/json"}});
    return {.plan = std::move(plan),
            .key_prefix = "p/e/v",
            .time = 1'700'000'000'042,
            .inference_id = "my \"id\"",
            .event_id = "0b7a2f6e-0000-4000-8000-000000000000",
            .input_content_type = "Text/CSV; charset=utf-8",
            .input = "1,2\n\"x\"",
            .output_content_type = "application/json",
            .output = "{\"predictions\": []}"};
}

TEST(CaptureWriter, LineHoldsListedTypesAsText) {
    nlohmann::json line = nlohmann::json::parse(CaptureLine(Record({"text/csv"})));
    EXPECT_EQ(line["captureData"]["endpointInput"]["data"], "1,2\n\"x\"");
    EXPECT_EQ(line["captureData"]["endpointInput"]["encoding"], "CSV");
    EXPECT_EQ(line["captureData"]["endpointInput"]["mode"], "INPUT");
    EXPECT_EQ(line["captureData"]["endpointInput"]["observedContentType"], "Text/CSV; charset=utf-8");
    EXPECT_EQ(line["captureData"]["endpointOutput"]["encoding"], "JSON");
    EXPECT_EQ(line["captureData"]["endpointOutput"]["mode"], "OUTPUT");
    EXPECT_EQ(line["eventMetadata"]["inferenceId"], "my \"id\"");
    EXPECT_EQ(line["eventMetadata"]["inferenceTime"], "2023-11-14T22:13:20Z");
    EXPECT_EQ(line["eventMetadata"]["eventId"], "0b7a2f6e-0000-4000-8000-000000000000");
    EXPECT_EQ(line["eventVersion"], "0");
}

TEST(CaptureWriter, LineHoldsOtherTypesAndBytesInBase64) {
    nlohmann::json line = nlohmann::json::parse(CaptureLine(Record({})));
    EXPECT_EQ(line["captureData"]["endpointInput"]["encoding"], "BASE64");
    EXPECT_EQ(line["captureData"]["endpointInput"]["data"], "MSwyCiJ4Ig==");
    CaptureRecord record = Record({"text/csv"});
    record.input = "\xff\xfe";
    line = nlohmann::json::parse(CaptureLine(record));
    EXPECT_EQ(line["captureData"]["endpointInput"]["encoding"], "BASE64");
    EXPECT_EQ(line["captureData"]["endpointInput"]["data"], "//4=");
}

TEST(CaptureWriter, LineHoldsOnlyTheModesAskedFor) {
    nlohmann::json input = nlohmann::json::parse(CaptureLine(Record({}, true, false)))["captureData"];
    EXPECT_TRUE(input.contains("endpointInput"));
    EXPECT_FALSE(input.contains("endpointOutput"));
    nlohmann::json output = nlohmann::json::parse(CaptureLine(Record({}, false, true)))["captureData"];
    EXPECT_FALSE(output.contains("endpointInput"));
    EXPECT_TRUE(output.contains("endpointOutput"));
}

TEST(CaptureWriter, KeysSortByTime) {
    EXPECT_EQ(CaptureKey("p/e/v", 1'700'000'000'042, "u"), "p/e/v/2023/11/14/22/13-20-042-u.jsonl");
}

}  // namespace
}  // namespace espalier::hosting
