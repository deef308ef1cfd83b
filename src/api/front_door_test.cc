#include "api/front_door.h"

#include <gtest/gtest.h>

#include "api/error_answer.h"

namespace espalier::api {
namespace {

http::RequestHead Head(std::string method, std::string target,
                       std::vector<std::pair<std::string, std::string>> fields = {}) {
    http::RequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    for (auto& [name, value] : fields) head.headers.Add(name, value);
    return head;
}

std::pair<std::string, std::string> Scope(const std::string& service) {
    return {"Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/" + service +
                                 "/aws4_request, SignedHeaders=host, Signature=b"};
}

// contracts/api.md 1.4.
TEST(FrontDoor, TellsRequestsApart) {
    const std::pair<std::string, std::string> form = {"Content-Type",
                                                      "application/x-www-form-urlencoded; charset=utf-8"};
    struct Case {
        http::RequestHead head;
        Route route;
    };
    const Case cases[] = {
        {Head("POST", "/", {{"X-Amz-Target", "SageMaker.ListModels"}, Scope("sagemaker")}), Route::kSageMaker},
        {Head("POST", "/", {{"X-Amz-Target", "SageMaker.ListModels"}}), Route::kSageMaker},
        {Head("POST", "/", {{"x-amz-target", "Logs_20140328.GetLogEvents"}, Scope("logs")}), Route::kLogs},
        {Head("POST", "/", {{"X-Amz-Target", "GraniteServiceVersion20100801.ListMetrics"}, Scope("monitoring")}),
         Route::kMetrics},
        {Head("POST", "/", {{"X-Amz-Target", "AnyScaleFrontendService.X"}, Scope("application-autoscaling")}),
         Route::kScaling},
        {Head("POST", "/", {{"X-Amz-Target", "DynamoDB_20120810.X"}, Scope("dynamodb")}), Route::kUnknownTarget},
        {Head("GET", "/_espalier/endpoints/e/comparison", {Scope("sagemaker")}), Route::kConsole},
        {Head("GET", "/healthz"), Route::kHealth},
        {Head("GET", "/metrics"), Route::kHealth},
        {Head("GET", "/metrics", {Scope("s3")}), Route::kS3},
        {Head("PUT", "/metrics"), Route::kS3},
        {Head("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics",
              {{"smithy-protocol", "rpc-v2-cbor"}, Scope("monitoring")}),
         Route::kMetrics},
        {Head("POST", "/", {form, Scope("sts")}), Route::kIam},
        {Head("POST", "/", {form}), Route::kIam},
        {Head("POST", "/", {form, Scope("monitoring")}), Route::kMetricsQuery},
        {Head("GET", "/?Action=GetCallerIdentity&Version=2011-06-15"), Route::kIam},
        {Head("POST", "/endpoints/e/invocations", {Scope("sagemaker")}), Route::kRuntime},
        {Head("POST", "/endpoints/e/invocations"), Route::kRuntime},
        {Head("POST", "/endpoints/e/invocations-response-stream"), Route::kRuntime},
        {Head("POST", "/endpoints/e/async-invocations", {Scope("sagemaker")}), Route::kRuntime},
        {Head("PUT", "/BatchPutMetrics", {Scope("sagemaker")}), Route::kSageMakerOther},
        // A bucket called "endpoints" is legal: the scope decides.
        {Head("POST", "/endpoints/e/invocations", {Scope("s3")}), Route::kS3},
        {Head("POST", "/endpoints/e/invocations", {{"Authorization", "AWS a:b"}}), Route::kS3},
        {Head("POST", "/endpoints/e/invocations?X-Amz-Credential=a%2F20260101%2Fr%2Fs3%2Faws4_request"), Route::kS3},
        {Head("PUT", "/endpoints/e/invocations"), Route::kS3},
        {Head("POST", "/endpoints//invocations"), Route::kS3},
        {Head("POST", "/endpoints/e/f/invocations"), Route::kS3},
        {Head("GET", "/", {Scope("s3")}), Route::kS3},
        {Head("GET", "/bucket/key?AWSAccessKeyId=a&Signature=b&Expires=1"), Route::kS3},
        {Head("PUT", "/bucket/key", {{"X-Amz-Target", "SageMaker.X"}}), Route::kS3},
        {Head("POST", "/", {{"X-Amz-Target", "SageMaker.X"}, Scope("s3")}), Route::kS3},
        {Head("GET", "/_espalier/health"), Route::kHealth},
        {Head("HEAD", "/_espalier/health"), Route::kHealth},
        {Head("POST", "/_espalier/health"), Route::kReserved},
        {Head("GET", "/_espalier/other"), Route::kReserved},
        {Head("GET", "/_espalier"), Route::kS3},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(RouteOf(c.head), c.route) << c.head.method << " " << c.head.target;
    }
}

TEST(ErrorAnswer, XmlHoldsOnlyWhatXmlCanHold) {
    EXPECT_EQ(XmlEscape("a<b>&\"'\x01\x7f\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\xb3"),
              "a&lt;b&gt;&amp;&quot;&#39;?\x7f\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\xb3");
    // Lone and cut bytes, an overlong form, a surrogate, a number beyond Unicode.
    EXPECT_EQ(XmlEscape("\xff|\xc3|\xe2\x82|\xc0\xaf|\xed\xa0\x80|\xf5\x80\x80\x80"), "?|?|??|??|???|????");
}

TEST(ErrorAnswer, SaysTheCodeWhereEachProtocolReadsIt) {
    const WireFault fault{400, "SomeCode", "a < b"};
    auto body = [&](WireProtocol protocol) { return ErrorAnswer(protocol, fault, "/k", "R1").body; };
    EXPECT_NE(body(WireProtocol::kRestXml).find("<Error><Code>SomeCode</Code><Message>a &lt; b</Message>"),
              std::string::npos);
    EXPECT_EQ(body(WireProtocol::kJson), R"({"__type":"SomeCode","message":"a < b"})");
    EXPECT_EQ(body(WireProtocol::kRestJson), R"({"Message":"a < b"})");
    EXPECT_EQ(ErrorAnswer(WireProtocol::kRestJson, fault, "/k", "R1").headers.Get("x-amzn-errortype"), "SomeCode");
    EXPECT_NE(body(WireProtocol::kQuery).find("<Error><Type>Sender</Type><Code>SomeCode</Code>"), std::string::npos);
}

}  // namespace
}  // namespace espalier::api
