// A buffered request in memory for the tests of api/; tells its answer.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "http/exchange.h"

namespace espalier::api {

class FakeExchange final : public http::Exchange {
  public:
    FakeExchange(http::RequestHead head, std::string body) : head_(std::move(head)), body_(std::move(body)) {
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

}  // namespace espalier::api
