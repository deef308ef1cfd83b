#include "api/json_protocol.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace espalier::api {
namespace {

bool IsSerializationError(std::string_view body) {
    const auto parsed = ParseJsonBody(body);
    const WireError* error = std::get_if<WireError>(&parsed);
    return error != nullptr && error->type == "SerializationException" && error->status == 400;
}

TEST(JsonProtocolTest, ReadsObjectsAndRefusesEverythingElse) {
    EXPECT_TRUE(std::get<nlohmann::json>(ParseJsonBody("")).is_object());
    EXPECT_EQ(std::get<nlohmann::json>(ParseJsonBody(R"({"a":1})"))["a"], 1);
    EXPECT_TRUE(IsSerializationError("[1]"));
    EXPECT_TRUE(IsSerializationError("{"));
    EXPECT_TRUE(IsSerializationError("{\"a\":\"\xff\"}"));
}

TEST(JsonProtocolTest, RefusesDeepNestingAtTheLimit) {
    const auto nested = [](int depth) {  // one level is the object itself
        return "{\"a\":" + std::string(static_cast<std::size_t>(depth - 1), '[') +
               std::string(static_cast<std::size_t>(depth - 1), ']') + "}";
    };
    EXPECT_FALSE(IsSerializationError(nested(kNestingDepthMax)));
    EXPECT_TRUE(IsSerializationError(nested(kNestingDepthMax + 1)));
    EXPECT_FALSE(IsSerializationError("{\"a\":\"" + std::string(1000, '[') + "\"}")) << "brackets in strings are text";
}

TEST(JsonProtocolTest, FindsTheOperationInTheTarget) {
    const JsonProtocol protocol = {.target_prefix = "SageMaker", .content_type = ""};
    http::RequestHead head;
    EXPECT_EQ(OperationOf(head, protocol), "");
    head.headers.Add("x-amz-target", "SageMaker.CreateModel");
    EXPECT_EQ(OperationOf(head, protocol), "CreateModel");
}

TEST(JsonProtocolTest, TimesKeepMilliseconds) {
    EXPECT_EQ(nlohmann::json(EpochSeconds(1700000000123)).dump(), "1700000000.123");
}

TEST(JsonProtocolTest, BadUtf8InAnAnswerIsReplacedNotThrown) {
    EXPECT_EQ(Outcome::Ok({{"m", "a\xff"}}).body(), "{\"m\":\"a\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace espalier::api
