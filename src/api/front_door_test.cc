#include "api/front_door.h"

#include <gtest/gtest.h>

#include "api/auth/sigv4.h"
#include "api/error_answer.h"
#include "api/fake_exchange.h"
#include "base/encoding.h"

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

class FixedClock final : public Clock {
  public:
    UnixMillis WallMillis() const override { return 1369353600000; }  // 2013-05-24T00:00:00Z
    std::chrono::steady_clock::time_point Now() const override { return {}; }
};

/// Answers with the body it is given, once the door has let it pass.
class EchoService final : public Service {
  public:
    http::BodyPlan Plan(const http::RequestHead&) override {
        return {.mode = http::BodyPlan::kBuffered, .max_body_bytes = 1 << 20};
    }
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal, std::string) override {
        exchange->Send({.status = 200, .headers = {}, .body = std::string(exchange->body())});
    }
};

constexpr const char* kSecret = "the secret";

/// An invocation whose signature is that of `signed_body`.
http::RequestHead SignedInvocation(std::string_view signed_body, const std::string& key_id = "KEY") {
    http::RequestHead head =
        Head("POST", "/endpoints/e/invocations", {{"Host", "h"}, {"x-amz-date", "20130524T000000Z"}});
    const std::string authorization = "AWS4-HMAC-SHA256 Credential=" + key_id +
                                      "/20130524/us-east-1/sagemaker/aws4_request, SignedHeaders=host;x-amz-date, "
                                      "Signature=";
    const V4Claim claim = std::get<V4Claim>(ReadV4Header(head, authorization + "0"));
    const std::string text =
        StringToSignV4(head, claim, "/endpoints/e/invocations", HexEncode(Sha256::Of(signed_body)));
    const std::string signature = HexEncode(HmacSha256(AsChars(DeriveSigningKey(kSecret, claim)), text));
    head.headers.Add("Authorization", authorization + signature);
    return head;
}

// Bodies that are hashed side by side are judged each for itself: what is signed for one opens nothing for the other.
TEST(FrontDoor, OfTwoRequestsAtOnceEachNeedsItsOwnSignature) {
    const FixedClock clock;
    Keyring keyring;
    keyring.Add("KEY", {kSecret});
    const Authenticator authenticator({}, keyring, clock);
    EchoService echo;
    FrontDoor door(authenticator, {});
    door.Mount(ServiceId::kRuntime, echo);
    const std::string a(1000, 'a');
    const std::string b(1500, 'b');
    struct Case {
        http::RequestHead head;
        std::string body;
        int status;
    };
    const Case cases[] = {{SignedInvocation(a), a, 200},
                          {SignedInvocation(b), b, 200},
                          {SignedInvocation(b), a, 403},
                          {SignedInvocation(a), b, 403},
                          {SignedInvocation(a, "STRANGER"), a, 403},
                          {SignedInvocation("short"), "short", 200},
                          {Head("POST", "/endpoints/e/invocations"), a, 403}};
    for (const Case& first : cases) {
        for (const Case& second : cases) {
            auto one = std::make_shared<FakeExchange>(first.head, first.body);
            auto other = std::make_shared<FakeExchange>(second.head, second.body);
            door.HandleBoth(one, other);
            const http::Response answers[] = {one->answer.get_future().get(), other->answer.get_future().get()};
            EXPECT_EQ(answers[0].status, first.status) << answers[0].body;
            EXPECT_EQ(answers[1].status, second.status) << answers[1].body;
            EXPECT_EQ(answers[0].body == first.body, first.status == 200);
            EXPECT_EQ(answers[1].body == second.body, second.status == 200);
        }
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
