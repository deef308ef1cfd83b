// A raw socket client and a programmable handler for the tests of http/.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/exchange.h"
#include "http/server.h"

namespace espalier::http {

/// Plans and handles by the functions given; by default buffers 1 MiB and answers with method, target and body.
class TestHandler final : public Handler {
  public:
    std::function<BodyPlan(const RequestHead&)> plan = [](const RequestHead&) {
        return BodyPlan{.mode = BodyPlan::kBuffered, .max_body_bytes = 1 << 20};
    };
    std::function<void(std::shared_ptr<Exchange>)> handle = [](std::shared_ptr<Exchange> exchange) {
        Response response;
        response.body = exchange->head().method + " " + exchange->head().target + " " + std::string(exchange->body());
        exchange->Send(std::move(response));
    };

    BodyPlan Plan(const RequestHead& head) override { return plan(head); }
    void Handle(std::shared_ptr<Exchange> exchange) override { handle(std::move(exchange)); }
};

struct ReceivedAnswer {
    int status = 0;  ///< 0: the connection ended before an answer
    std::string head;
    std::string body;
    bool Has(std::string_view line) const { return head.find(std::string(line) + "\r\n") != std::string::npos; }
};

/// A blocking client on loopback that gives up after ten seconds.
class TestClient {
  public:
    explicit TestClient(std::uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    ~TestClient() { Close(); }
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;

    bool connected() const { return connected_; }
    int socket_fd() const { return socket_; }
    void Close() {
        if (socket_ >= 0) close(socket_);
        socket_ = -1;
    }
    void FinishSending() { shutdown(socket_, SHUT_WR); }

    /// False when the peer has closed.
    bool Send(std::string_view bytes) {
        while (!bytes.empty()) {
            ssize_t num = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (num <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(num));
        }
        return true;
    }

    /// The next answer, framed by its Content-Length. For HEAD no body is read.
    ReceivedAnswer Receive(bool head_request = false) {
        ReceivedAnswer answer;
        std::size_t end;
        while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
            if (!More()) return answer;
        }
        answer.head = received_.substr(0, end + 2);
        received_.erase(0, end + 4);
        answer.status = std::stoi(answer.head.substr(9, 3));
        std::size_t field = answer.head.find("\r\nContent-Length: ");
        bool has_body = !head_request && answer.status >= 200 && answer.status != 204 && answer.status != 304;
        if (!has_body || field == std::string::npos) return answer;
        std::size_t size = std::stoull(answer.head.substr(field + 18));
        while (received_.size() < size) {
            if (!More()) return {};
        }
        answer.body = received_.substr(0, size);
        received_.erase(0, size);
        return answer;
    }

    /// The next bytes, `min` at least (or all there are before the end) and `max` at most; max 0 = min.
    std::string ReceiveBytes(std::size_t min, std::size_t max = 0) {
        max = std::max(min, max);
        while (received_.size() < std::max<std::size_t>(min, 1) && More()) {
        }
        std::string taken = received_.substr(0, max);
        received_.erase(0, max);
        return taken;
    }

    /// True when the peer closes without sending another byte.
    bool AtEnd() { return received_.empty() && !More() && received_.empty() && !timed_out_; }

    /// True when nothing arrives within `time`.
    bool IsQuietFor(std::chrono::milliseconds time) {
        pollfd entry{.fd = socket_, .events = POLLIN, .revents = 0};
        return received_.empty() && poll(&entry, 1, static_cast<int>(time.count())) == 0;
    }

  private:
    bool More() {
        pollfd entry{.fd = socket_, .events = POLLIN, .revents = 0};
        if (poll(&entry, 1, 10'000) <= 0) {
            timed_out_ = true;
            ADD_FAILURE() << "nothing received in ten seconds";
            return false;
        }
        char buffer[65536];
        ssize_t num = recv(socket_, buffer, sizeof buffer, 0);
        if (num <= 0) return false;
        received_.append(buffer, static_cast<std::size_t>(num));
        return true;
    }

    int socket_;
    bool connected_ = false;
    bool timed_out_ = false;
    std::string received_;
};

inline std::unique_ptr<Server> StartServer(Handler& handler, ServerOptions options = {}) {
    auto server = Server::Start(std::move(options), handler);
    if (!server) ADD_FAILURE() << server.error().ToString();
    return server ? std::move(*server) : nullptr;
}

}  // namespace espalier::http
