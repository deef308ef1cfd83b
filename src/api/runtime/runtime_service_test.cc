// Requests that wait while what they came through goes away.
#include "api/runtime/runtime_service.h"

#include <gtest/gtest.h>

#include <future>
#include <utility>

#include "hosting/hosting_fixture.h"

namespace espalier::api::runtime {
namespace {

/// A request in memory; tells its answer.
class FakeExchange final : public http::Exchange {
  public:
    FakeExchange(std::string target, std::string body) : body_(std::move(body)) {
        head_.method = "POST";
        head_.target = std::move(target);
        head_.headers.Add("Content-Type", "text/csv");
        head_.received_at = std::chrono::steady_clock::now();
    }
    ~FakeExchange() override {
        if (!answered_) answer.set_value({.status = 0, .headers = {}, .body = "dropped"});
    }
    const http::RequestHead& head() const override { return head_; }
    http::BodyPlan::Mode mode() const override { return http::BodyPlan::kBuffered; }
    std::string_view body() const override { return body_; }
    bool body_too_large() const override { return false; }
    Result<std::size_t> ReadBody(std::span<char>) override { return std::size_t{0}; }
    void Send(http::Response response) override {
        answered_ = true;
        answer.set_value(std::move(response));
    }
    Result<void> SendFile(http::Response, int, std::uint64_t, std::uint64_t) override { return {}; }
    std::unique_ptr<http::ResponseStream> BeginStream(http::Response) override { return nullptr; }

    std::promise<http::Response> answer;

  private:
    http::RequestHead head_;
    std::string body_;
    bool answered_ = false;
};

class RuntimeServiceTest : public hosting::EndpointServiceTest {};

TEST_F(RuntimeServiceTest, ARequestThatWaitsOutlivesTheService) {
    CreateConstantModel("m", 1.5F);
    CreateConfig("c", {{.name = "a", .model_name = "m"}});
    ASSERT_EQ(Create("e", "c"), "ok");
    const auto line = service_->FindLive(scope_.account, scope_.region, "e")->production[0].line;
    line->SetBounds({.running_max = 1, .waiting_max = 10});
    ASSERT_EQ(line->Enter(hosting::VariantLine::Length::kLong, [] { return [] {}; }),
              hosting::VariantLine::Entry::kRun);
    auto exchange = std::make_shared<FakeExchange>("/endpoints/e/invocations", "1,2,3");
    std::future<http::Response> answer = exchange->answer.get_future();
    auto runtime = RuntimeService::Create(*service_, {});
    Principal principal;
    principal.account_id = scope_.account;
    principal.region = scope_.region;
    runtime->Handle(std::exchange(exchange, nullptr), principal, "id");
    runtime.reset();
    line->Leave(std::chrono::microseconds(1));
    const http::Response answered = answer.get();
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.body, "1.5");
}

}  // namespace
}  // namespace espalier::api::runtime
