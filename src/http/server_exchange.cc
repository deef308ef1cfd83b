#include "http/server_exchange.h"

#include <utility>

#include "base/log.h"
#include "http/connection.h"

namespace espalier::http {
namespace {

class ServerStream final : public ResponseStream {
  public:
    explicit ServerStream(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
    ~ServerStream() override {
        if (connection_ != nullptr) connection_->BreakStream();
    }

    Taken Write(std::string part, std::function<void()> resume) override {
        if (connection_ == nullptr) return Taken::kGone;
        return connection_->WritePart(std::move(part), std::move(resume));
    }
    void End() override {
        if (auto connection = std::exchange(connection_, nullptr)) connection->EndStream();
    }

  private:
    std::shared_ptr<Connection> connection_;  // nullptr: nothing may be written any more
};

}  // namespace

ServerExchange::ServerExchange(std::shared_ptr<Connection> connection, std::unique_ptr<Request> request)
    : connection_(std::move(connection)), request_(std::move(request)) {}

ServerExchange::~ServerExchange() {
    if (!answered_) {
        LOG_ERROR("a request was dropped unanswered", {"method", request_->parsed.head.method},
                  {"path", request_->parsed.head.raw_path()});
        Response response{.status = 500, .headers = {}, .body = "The request was dropped.\n"};
        response.headers.Add("Content-Type", "text/plain; charset=utf-8");
        connection_->Send(std::move(response));
    }
    connection_->Recycle(std::move(request_));
}

const RequestHead& ServerExchange::head() const {
    return request_->parsed.head;
}

BodyPlan::Mode ServerExchange::mode() const {
    return request_->mode;
}

std::string_view ServerExchange::body() const {
    return {request_->body.data.get(), request_->body.size};
}

bool ServerExchange::body_too_large() const {
    return request_->body_too_large;
}

Result<std::size_t> ServerExchange::ReadBody(std::span<char> out) {
    if (answered_) return Error(ErrorCode::kInternal, "the body was read after the answer");
    if (request_->mode != BodyPlan::kStreamed) return Error(ErrorCode::kInternal, "the body is not streamed");
    return connection_->ReadBody(out);
}

void ServerExchange::Send(Response response) {
    if (answered_.exchange(true)) {
        LOG_ERROR("a request was answered twice; the second answer is dropped", {"path", head().raw_path()});
        return;
    }
    connection_->Send(std::move(response));
}

std::unique_ptr<ResponseStream> ServerExchange::BeginStream(Response head) {
    if (answered_.exchange(true)) {
        LOG_ERROR("a request was answered twice; the second answer is dropped", {"path", this->head().raw_path()});
        return std::make_unique<ServerStream>(nullptr);
    }
    connection_->BeginStream(std::move(head));
    return std::make_unique<ServerStream>(connection_);
}

Result<void> ServerExchange::SendFile(Response response, int fd, std::uint64_t offset, std::uint64_t size_bytes) {
    if (answered_.exchange(true)) return Error(ErrorCode::kInternal, "the request was answered twice");
    return connection_->SendFile(std::move(response), fd, offset, size_bytes);
}

}  // namespace espalier::http
