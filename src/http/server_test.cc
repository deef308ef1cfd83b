#include "http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include "http/head_parser.h"
#include "http/test_client.h"

namespace espalier::http {
namespace {

using std::chrono::milliseconds;

constexpr const char* kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(Server, AnswersAndKeepsTheConnection) {
    TestHandler handler;
    auto server = StartServer(handler);
    TestClient client(server->port());
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(client.Send("POST /p%20q?x=%2F HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"));
        ReceivedAnswer answer = client.Receive();
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.body, "POST /p%20q?x=%2F hello");
        EXPECT_TRUE(answer.Has("Server: Espalier")) << answer.head;
        EXPECT_NE(answer.head.find("\r\nDate: "), std::string::npos);
    }
}

TEST(Server, TakesRequestsByteByByte) {
    TestHandler handler;
    auto server = StartServer(handler);
    TestClient client(server->port());
    const std::string request = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    const std::string chunked =
        "POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nt: "
        "v\r\n\r\n";
    for (const std::string& text : {request, chunked, request}) {
        for (char c : text) ASSERT_TRUE(client.Send({&c, 1}));
        EXPECT_EQ(client.Receive().body, "POST /slow hello");
    }
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
    TestHandler handler;
    handler.plan = [](const RequestHead& head) {
        // Workers and the I/O thread in turns: the order must hold across both.
        return BodyPlan{.mode = head.target.back() % 2 == 0 ? BodyPlan::kBuffered : BodyPlan::kWorker};
    };
    auto server = StartServer(handler);
    TestClient client(server->port());
    std::string requests;
    for (int i = 0; i < 500; ++i) {
        std::string number = std::to_string(i);
        requests += "POST /" + number + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(number.size()) +
                    "\r\n\r\n" + number;
    }
    std::jthread sender([&] { EXPECT_TRUE(client.Send(requests)); });
    for (int i = 0; i < 500; ++i) {
        ReceivedAnswer answer = client.Receive();
        ASSERT_EQ(answer.body, "POST /" + std::to_string(i) + " " + std::to_string(i));
    }
}

TEST(Server, SendsContinueOnlyWhenItWillReadTheBody) {
    TestHandler handler;
    auto server = StartServer(handler);
    TestClient client(server->port());
    client.Send("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    EXPECT_EQ(client.Receive().status, 100);
    client.Send("hello");
    EXPECT_EQ(client.Receive().body, "PUT / hello");

    handler.plan = [](const RequestHead&) { return BodyPlan{.mode = BodyPlan::kStreamed}; };
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        exchange->Send({.status = 403, .headers = {}, .body = {}});
    };
    client.Send("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    ReceivedAnswer refused = client.Receive();
    EXPECT_EQ(refused.status, 403);
    EXPECT_TRUE(refused.Has("Connection: close"));
    EXPECT_TRUE(client.AtEnd());
}

TEST(Server, StreamedBodyAsksForItWithContinue) {
    TestHandler handler;
    handler.plan = [](const RequestHead&) { return BodyPlan{.mode = BodyPlan::kStreamed}; };
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        std::string body;
        char part[3];
        while (true) {
            Result<std::size_t> num = exchange->ReadBody(part);
            ASSERT_TRUE(num.has_value());
            if (*num == 0) break;
            body.append(part, *num);
        }
        exchange->Send({.status = 200, .headers = {}, .body = body});
    };
    auto server = StartServer(handler);
    TestClient client(server->port());
    for (int i = 0; i < 2; ++i) {
        client.Send("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
        EXPECT_EQ(client.Receive().status, 100);
        client.Send("0123456789");
        EXPECT_EQ(client.Receive().body, "0123456789");
    }
    client.Send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n");
    EXPECT_EQ(client.Receive().body, "0123456789");
}

TEST(Server, DropsASmallUnreadBodyAndClosesBeforeALargeOne) {
    TestHandler handler;
    handler.plan = [](const RequestHead&) { return BodyPlan{.mode = BodyPlan::kStreamed}; };
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        exchange->Send({.status = 404, .headers = {}, .body = {}});
    };
    auto server = StartServer(handler);
    auto put = [](std::size_t size) {
        return "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
    };
    TestClient client(server->port());
    for (std::size_t size : {std::size_t{1}, kDrainBytesMax}) {
        client.Send(put(size));
        client.Send(std::string(size, 'x'));
        ReceivedAnswer answer = client.Receive();
        EXPECT_EQ(answer.status, 404);
        EXPECT_FALSE(answer.Has("Connection: close")) << size;
    }
    client.Send(put(kDrainBytesMax + 1));
    ReceivedAnswer answer = client.Receive();
    EXPECT_EQ(answer.status, 404);
    EXPECT_TRUE(answer.Has("Connection: close"));

    TestClient chunked(server->port());
    chunked.Send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    EXPECT_EQ(chunked.Receive().status, 404);
    chunked.Send("0\r\n\r\nPUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(chunked.Receive().status, 404);
}

TEST(Server, AnswersHeadWithTheLengthAndNoBody) {
    TestHandler handler;
    auto server = StartServer(handler);
    TestClient client(server->port());
    client.Send("HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client.Receive(true).Has("Content-Length: 10"));
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        Response response;
        response.headers.Add("Content-Length", "5000000000");
        exchange->Send(std::move(response));
    };
    client.Send("HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client.Receive(true).Has("Content-Length: 5000000000"));
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        exchange->Send({.status = exchange->head().target == "/204" ? 204 : 304, .headers = {}, .body = "not sent"});
    };
    for (const char* target : {"/204", "/304", "/204"}) {
        client.Send(std::string("GET ") + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
        ReceivedAnswer answer = client.Receive();
        EXPECT_EQ(answer.status, std::stoi(target + 1));
        EXPECT_EQ(answer.head.find("Content-Length"), std::string::npos);
    }
}

TEST(Server, AnswersFromAnyThreadLater) {
    TestHandler handler;
    std::mutex mutex;
    std::vector<std::shared_ptr<Exchange>> held;
    std::latch all_held(20);
    handler.handle = [&](std::shared_ptr<Exchange> exchange) {
        std::lock_guard lock(mutex);
        held.push_back(std::move(exchange));
        all_held.count_down();
    };
    ServerOptions options;
    options.num_workers = 1;
    auto server = StartServer(handler, options);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 20; ++i) {
        clients.push_back(std::make_unique<TestClient>(server->port()));
        clients.back()->Send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    all_held.wait();
    std::jthread answerer([&] {
        std::lock_guard lock(mutex);
        for (auto& exchange : held) exchange->Send({.status = 200, .headers = {}, .body = exchange->head().target});
        held.clear();
    });
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(clients[static_cast<std::size_t>(i)]->Receive().body, "/" + std::to_string(i));
}

TEST(Server, AnswersFiveHundredForADroppedRequest) {
    TestHandler handler;
    for (BodyPlan::Mode mode : {BodyPlan::kBuffered, BodyPlan::kWorker, BodyPlan::kStreamed}) {
        handler.plan = [mode](const RequestHead&) { return BodyPlan{.mode = mode}; };
        handler.handle = [](std::shared_ptr<Exchange>) {};
        auto server = StartServer(handler);
        TestClient client(server->port());
        for (int i = 0; i < 2; ++i) {
            client.Send(kGet);
            EXPECT_EQ(client.Receive().status, 500);
        }
    }
}

TEST(Server, ShedsWhatTheQueueCannotHold) {
    TestHandler handler;
    std::latch release(1);
    std::atomic<int> num_handled = 0;
    handler.plan = [](const RequestHead&) { return BodyPlan{.mode = BodyPlan::kWorker}; };
    handler.handle = [&](std::shared_ptr<Exchange> exchange) {
        ++num_handled;
        release.wait();
        exchange->Send({});
    };
    ServerOptions options;
    options.num_workers = 1;
    options.queued_requests_max = 2;
    auto server = StartServer(handler, options);
    TestClient running(server->port());
    running.Send(kGet);
    while (num_handled == 0) std::this_thread::yield();
    // Two may wait. Which of the four are the lucky ones is up to the loops.
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(std::make_unique<TestClient>(server->port()));
        clients.back()->Send(kGet);
    }
    int num_busy = 0;
    for (std::size_t i = 0; num_busy < 2; i = (i + 1) % clients.size()) {
        if (clients[i]->IsQuietFor(milliseconds(1))) continue;
        ReceivedAnswer answer = clients[i]->Receive();
        EXPECT_EQ(answer.status, 503);
        EXPECT_TRUE(answer.Has("Retry-After: 1"));
        clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i));
        ++num_busy;
    }
    release.count_down();
    EXPECT_EQ(running.Receive().status, 200);
    for (auto& client : clients) EXPECT_EQ(client->Receive().status, 200);
}

/// Notes which requests come in pairs.
class PairingHandler final : public Handler {
  public:
    BodyPlan Plan(const RequestHead&) override { return {.mode = BodyPlan::kBuffered, .max_body_bytes = 1 << 20}; }
    void Handle(std::shared_ptr<Exchange> exchange) override {
        if (exchange->head().target == "/holds-the-loop") {
            held.count_down();
            release.wait();
        }
        exchange->Send({.status = 200, .headers = {}, .body = "alone"});
    }
    void HandleBoth(std::shared_ptr<Exchange> first, std::shared_ptr<Exchange> second) override {
        second->Send({.status = 200, .headers = {}, .body = "second"});
        kept = std::move(first);
        paired.count_down();
    }

    std::latch held{1};
    std::latch release{1};
    std::latch paired{1};
    std::shared_ptr<Exchange> kept;  ///< the first of the pair; read after `paired`
};

TEST(Server, HandsOverTwoAtOnceThatAreWholeAtOnce) {
    const auto get = [](std::string_view target) {
        return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    };
    PairingHandler handler;
    ServerOptions options;
    options.num_io_threads = 1;
    auto server = StartServer(handler, options);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(std::make_unique<TestClient>(server->port()));
        clients.back()->Send(kGet);
        EXPECT_EQ(clients.back()->Receive().body, "alone");
    }
    clients[3]->Send(get("/holds-the-loop"));
    handler.held.wait();
    // They become whole while the loop cannot look, so it finds all three at once: a pair and one more.
    for (std::size_t i = 0; i < 3; ++i) clients[i]->Send(get("/" + std::to_string(i)));
    handler.release.count_down();
    handler.paired.wait();
    const std::size_t waiting = std::stoul(handler.kept->head().target.substr(1));
    std::string answers;
    for (std::size_t i = 0; i < 3; ++i)
        if (i != waiting) answers += clients[i]->Receive().body + " ";
    EXPECT_TRUE(answers == "second alone " || answers == "alone second ") << answers;
    handler.kept->Send({.status = 200, .headers = {}, .body = "first"});
    handler.kept.reset();
    EXPECT_EQ(clients[waiting]->Receive().body, "first");
    clients[waiting]->Send(kGet);
    EXPECT_EQ(clients[waiting]->Receive().body, "alone");
}

TEST(Server, RefusesTheConnectionThatIsOneTooMany) {
    TestHandler handler;
    ServerOptions options;
    options.connections_max = 2;
    auto server = StartServer(handler, options);
    TestClient first(server->port());
    auto second = std::make_unique<TestClient>(server->port());
    for (TestClient* client : {&first, second.get()}) {
        client->Send(kGet);
        EXPECT_EQ(client->Receive().status, 200);
    }
    TestClient third(server->port());
    EXPECT_EQ(third.Receive().status, 503);
    second.reset();
    while (server->num_connections() == 2) std::this_thread::yield();
    TestClient fourth(server->port());
    fourth.Send(kGet);
    EXPECT_EQ(fourth.Receive().status, 200);
}

TEST(Server, RefusesABodyOneByteTooLarge) {
    TestHandler handler;
    handler.plan = [](const RequestHead&) { return BodyPlan{.mode = BodyPlan::kBuffered, .max_body_bytes = 1000}; };
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        exchange->Send({.status = exchange->body_too_large() ? 413 : 200,
                        .headers = {},
                        .body = std::to_string(exchange->body().size())});
    };
    auto server = StartServer(handler);
    auto plain = [](std::size_t size) {
        return "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
               std::string(size, 'x');
    };
    auto chunked = [](std::size_t size) {
        std::string text = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (std::size_t i = 0; i < size; ++i) text += "1\r\nx\r\n";
        return text + "0\r\n\r\n";
    };
    for (auto& request : {plain(1000), chunked(1000)}) {
        TestClient client(server->port());
        client.Send(request);
        EXPECT_EQ(client.Receive().body, "1000");
    }
    for (auto& request : {plain(1001), chunked(1001)}) {
        TestClient client(server->port());
        client.Send(request);
        ReceivedAnswer answer = client.Receive();
        EXPECT_EQ(answer.status, 413);
        EXPECT_TRUE(answer.Has("Connection: close"));
        EXPECT_EQ(answer.body, "0");
    }
}

TEST(Server, BoundsTheBytesOfAllBufferedBodies) {
    TestHandler handler;
    std::atomic<int> num_held = 0;
    std::latch release(1);
    handler.plan = [](const RequestHead&) { return BodyPlan{.mode = BodyPlan::kWorker, .max_body_bytes = 1 << 20}; };
    handler.handle = [&](std::shared_ptr<Exchange> exchange) {
        ++num_held;
        if (exchange->head().target == "/held") release.wait();
        exchange->Send({});
    };
    ServerOptions options;
    options.buffered_bytes_max = 100'000;
    auto server = StartServer(handler, options);
    auto put = [](const char* target, std::size_t size) {
        return "PUT " + std::string(target) + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) +
               "\r\n\r\n" + std::string(size, 'x');
    };
    auto holder = std::make_unique<TestClient>(server->port());
    holder->Send(put("/held", 60'000));
    while (num_held == 0) std::this_thread::yield();
    TestClient fits(server->port());
    fits.Send(put("/", 40'000));
    EXPECT_EQ(fits.Receive().status, 200);
    fits.Close();
    while (server->num_connections() > 1) std::this_thread::yield();
    TestClient too_much(server->port());
    too_much.Send(put("/", 40'001));
    EXPECT_EQ(too_much.Receive().status, 503);
    release.count_down();
    EXPECT_EQ(holder->Receive().status, 200);
    holder.reset();
    while (server->num_connections() > 1) std::this_thread::yield();
    // A closed connection gives its memory back a moment after it has left the count.
    int status = 503;
    for (int i = 0; i < 100 && status == 503; ++i) {
        TestClient again(server->port());
        again.Send(put("/", 100'000));
        status = again.Receive().status;
    }
    EXPECT_EQ(status, 200);
}

TEST(Server, ReportsAPortInUse) {
    TestHandler handler;
    auto server = StartServer(handler);
    ServerOptions options;
    options.port = server->port();
    auto second = Server::Start(options, handler);
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().ToString().find("Address already in use"), std::string::npos) << second.error().ToString();
    options.address = "localhost";
    EXPECT_EQ(Server::Start(options, handler).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace espalier::http
