// Requests that wait while what they came through goes away.
#include "api/runtime/runtime_service.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <latch>
#include <utility>

#include "api/fake_exchange.h"
#include "hosting/hosting_fixture.h"

namespace espalier::api::runtime {
namespace {

/// An invocation with CSV.
std::shared_ptr<FakeExchange> Invocation(std::string target, std::string body, std::string_view target_model = "") {
    http::RequestHead head;
    head.method = "POST";
    head.target = std::move(target);
    head.headers.Add("Content-Type", "text/csv");
    if (!target_model.empty()) head.headers.Add("X-Amzn-SageMaker-Target-Model", target_model);
    return std::make_shared<FakeExchange>(std::move(head), std::move(body));
}

class RuntimeServiceTest : public hosting::EndpointServiceTest {
  protected:
    Principal Caller() const {
        Principal principal;
        principal.account_id = scope_.account;
        principal.region = scope_.region;
        return principal;
    }
};

TEST_F(RuntimeServiceTest, ARequestThatWaitsOutlivesTheService) {
    CreateConstantModel("m", 1.5F);
    CreateConfig("c", {{.name = "a", .model_name = "m"}});
    ASSERT_EQ(Create("e", "c"), "ok");
    const auto line = service_->FindLive(scope_.account, scope_.region, "e")->production[0].line;
    line->SetBounds({.running_max = 1, .waiting_max = 10});
    ASSERT_EQ(line->Enter(hosting::VariantLine::Kind::kAttended, [] { return [] {}; }),
              hosting::VariantLine::Entry::kRun);
    auto exchange = Invocation("/endpoints/e/invocations", "1,2,3");
    std::future<http::Response> answer = exchange->answer.get_future();
    auto runtime = RuntimeService::Create(*service_, {});
    runtime->Handle(std::exchange(exchange, nullptr), Caller(), "id");
    runtime.reset();
    line->Leave(std::chrono::microseconds(1));
    const http::Response answered = answer.get();
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.body, "1.5");
}

/// Its client would give up after a minute and never know.
TEST_F(RuntimeServiceTest, AModelThatIsLongInLoadingIsNotReady) {
    PutArchive("many/slow", hosting::ConstantModel(2.0F));
    const hosting::ModelSpec many{.image = "xgboost:1",
                                  .model_data_url = "s3://bucket/many/",
                                  .environment = {},
                                  .multi_model = hosting::MultiModelSpec()};
    ASSERT_EQ(Text(service_->catalog().CreateModel(scope_, "m", many, {})), "ok");
    CreateConfig("c", {{.name = "a", .model_name = "m"}});
    ASSERT_EQ(Create("e", "c"), "ok");
    const auto models = service_->FindLive(scope_.account, scope_.region, "e")->production[0].models;
    std::promise<void> go;
    std::shared_future<void> gone = go.get_future().share();
    // Both loaders are busy, so the load of "slow" does not begin.
    std::latch busy(hosting::Concurrency().num_threads);
    for (int i = 0; i < hosting::Concurrency().num_threads; ++i) {
        const auto hold = [&busy, gone](const Result<hosting::Target>&) {
            busy.count_down();
            gone.wait();
        };
        ASSERT_TRUE(service_->models().Load(models, fmt::format("none-{}", i), hold));
    }
    busy.wait();
    auto runtime = RuntimeService::Create(*service_, {});
    const auto ask = [&] {
        auto exchange = Invocation("/endpoints/e/invocations", "1,2,3", "slow");
        std::future<http::Response> answer = exchange->answer.get_future();
        runtime->Handle(std::exchange(exchange, nullptr), Caller(), "id");
        return answer;
    };
    std::future<http::Response> first = ask();
    service_->models().GiveUpWaiting(std::chrono::steady_clock::now() + std::chrono::seconds(61));
    const http::Response refused = first.get();
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.headers.Get("x-amzn-ErrorType"), "ModelNotReadyException");
    EXPECT_NE(refused.body.find("Model slow is not ready for inference: it is still being loaded."), std::string::npos)
        << refused.body;
    std::future<http::Response> second = ask();
    go.set_value();
    EXPECT_EQ(second.get().body, "2.0");
}

}  // namespace
}  // namespace espalier::api::runtime
