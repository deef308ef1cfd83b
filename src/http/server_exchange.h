// The Exchange of a server connection. Internal to http/.
#pragma once

#include <atomic>
#include <memory>

#include "http/exchange.h"

namespace espalier::http {

class Connection;
struct Request;

class ServerExchange final : public Exchange {
  public:
    ServerExchange(std::shared_ptr<Connection> connection, std::unique_ptr<Request> request);
    ~ServerExchange() override;

    const RequestHead& head() const override;
    BodyPlan::Mode mode() const override;
    std::string_view body() const override;
    bool body_too_large() const override;
    Result<std::size_t> ReadBody(std::span<char> out) override;
    void Send(Response response) override;
    Result<void> SendFile(Response response, int fd, std::uint64_t offset, std::uint64_t size_bytes) override;
    std::unique_ptr<ResponseStream> BeginStream(Response head) override;

  private:
    std::shared_ptr<Connection> connection_;
    std::unique_ptr<Request> request_;
    std::atomic<bool> answered_ = false;
};

}  // namespace espalier::http
