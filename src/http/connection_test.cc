// What connections do to peers that are slow, broken or hostile, and when the server ends.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <latch>
#include <thread>
#include <vector>

#include "http/head_parser.h"
#include "http/test_client.h"

namespace espalier::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

ServerOptions Hasty() {
    ServerOptions options;
    options.header_timeout = milliseconds(150);
    options.idle_timeout = milliseconds(300);
    options.body_stall_timeout = milliseconds(150);
    options.write_stall_timeout = milliseconds(150);
    return options;
}

void Stream(TestHandler& handler) {
    handler.plan = [](const RequestHead&) { return BodyPlan{.mode = BodyPlan::kStreamed}; };
}

TEST(Connection, AnswersFramingErrorsAndCloses) {
    TestHandler handler;
    auto server = StartServer(handler);
    const std::string next = kGet;  // a smuggled request that must not be answered
    for (const std::string& bytes : {
             "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next,
             "GET / HTTP/1.1\nHost: x\n\n" + next,
             "\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n" + next,
             "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + next,
             "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n" + next,
             "complete nonsense\r\n\r\n" + next,
         }) {
        TestClient client(server->port());
        client.Send(bytes);
        ReceivedAnswer answer = client.Receive();
        EXPECT_EQ(answer.status, 400) << bytes;
        EXPECT_TRUE(answer.Has("Connection: close"));
        EXPECT_TRUE(client.AtEnd()) << bytes;
    }
}

TEST(Connection, IgnoresAnEmptyLineBeforeARequest) {
    TestHandler handler;
    auto server = StartServer(handler);
    TestClient client(server->port());
    for (char c : std::string("\r\n") + kGet) client.Send({&c, 1});
    EXPECT_EQ(client.Receive().status, 200);
}

TEST(Connection, HeadSizeAtItsEdge) {
    TestHandler handler;
    auto server = StartServer(handler);
    auto head = [](std::size_t size) {
        std::string text = "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ";
        return text + std::string(size - text.size() - 4, 'v') + "\r\n\r\n";
    };
    TestClient fits(server->port());
    fits.Send(kGet + head(kHeadBytesMax) + kGet);  // also when it does not begin the buffer
    for (int i = 0; i < 3; ++i) EXPECT_EQ(fits.Receive().status, 200);
    TestClient does_not(server->port());
    does_not.Send(head(kHeadBytesMax + 1));
    EXPECT_EQ(does_not.Receive().status, 431);
    EXPECT_TRUE(does_not.AtEnd());
}

TEST(Connection, TimesOutDribblingHeadsWhileOthersAreServed) {
    TestHandler handler;
    auto server = StartServer(handler, Hasty());
    TestClient slow(server->port());
    TestClient quick(server->port());
    std::jthread dribble([&] {
        for (char c : std::string("GET / HTTP/1.1\r\nHost: x\r\nX: ") + std::string(1000, 'v')) {
            if (!slow.Send({&c, 1})) return;
            std::this_thread::sleep_for(milliseconds(2));
        }
    });
    auto start = steady_clock::now();
    EXPECT_EQ(slow.Receive().status, 408);
    EXPECT_LT(steady_clock::now() - start, milliseconds(2000));
    quick.Send(kGet);
    EXPECT_EQ(quick.Receive().status, 200);
    EXPECT_TRUE(quick.AtEnd());  // idle
    EXPECT_GE(steady_clock::now() - start, milliseconds(250));
}

TEST(Connection, TimesOutStalledBodies) {
    TestHandler handler;
    auto server = StartServer(handler, Hasty());
    TestClient buffered(server->port());
    buffered.Send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    EXPECT_EQ(buffered.Receive().status, 408);
    EXPECT_TRUE(buffered.AtEnd());

    std::atomic<int> error_code = -1;
    Stream(handler);
    handler.handle = [&](std::shared_ptr<Exchange> exchange) {
        char part[10];
        Result<std::size_t> num = std::size_t{1};
        while (num && *num > 0) num = exchange->ReadBody(part);
        if (!num) error_code = static_cast<int>(num.error().code());
        exchange->Send({.status = 400, .headers = {}, .body = {}});
    };
    TestClient streamed(server->port());
    streamed.Send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhel");
    std::jthread dribble([&] {  // one byte now and then is a stall as well
        for (int i = 0; i < 1000 && streamed.Send("x"); ++i) std::this_thread::sleep_for(milliseconds(10));
    });
    EXPECT_EQ(streamed.Receive().status, 400);
    streamed.FinishSending();
    EXPECT_EQ(error_code, static_cast<int>(ErrorCode::kUnavailable));
}

TEST(Connection, TellsTheHandlerWhenThePeerLeavesWithinTheBody) {
    TestHandler handler;
    Stream(handler);
    std::latch told(2);
    handler.handle = [&](std::shared_ptr<Exchange> exchange) {
        char part[10];
        Result<std::size_t> num = std::size_t{1};
        while (num && *num > 0) num = exchange->ReadBody(part);
        if (!num) told.count_down();
        exchange->Send({});
    };
    auto server = StartServer(handler);
    for (const char* body : {"Content-Length: 50\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n50\r\nhello"}) {
        TestClient client(server->port());
        client.Send(std::string("PUT / HTTP/1.1\r\nHost: x\r\n") + body);
        client.Close();
    }
    told.wait();
}

TEST(Connection, GivesUpOnAPeerThatDoesNotReadItsAnswer) {
    TestHandler handler;
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        exchange->Send({.status = 200, .headers = {}, .body = std::string(64 << 20, 'x')});
    };
    auto server = StartServer(handler, Hasty());
    TestClient client(server->port());
    client.Send(kGet);
    auto deadline = steady_clock::now() + std::chrono::seconds(10);
    while (server->num_connections() == 0 && steady_clock::now() < deadline) std::this_thread::yield();
    while (server->num_connections() > 0 && steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(server->num_connections(), 0u);
}

TEST(Connection, SendsLargeAnswersWhole) {
    TestHandler handler;
    for (BodyPlan::Mode mode : {BodyPlan::kBuffered, BodyPlan::kWorker}) {
        handler.plan = [mode](const RequestHead&) { return BodyPlan{.mode = mode}; };
        handler.handle = [](std::shared_ptr<Exchange> exchange) {
            exchange->Send({.status = 200, .headers = {}, .body = std::string(20'000'000, 'x')});
        };
        auto server = StartServer(handler);
        TestClient client(server->port());
        for (int i = 0; i < 2; ++i) {
            client.Send(kGet);
            EXPECT_EQ(client.Receive().body.size(), 20'000'000u);
        }
    }
}

TEST(Connection, SendsFilesByRange) {
    TestHandler handler;
    int fd = memfd_create("content", 0);
    std::string content;
    for (int i = 0; i < 1'000'000; ++i) content += static_cast<char>(i % 251);
    ASSERT_EQ(write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    handler.plan = [](const RequestHead&) { return BodyPlan{.mode = BodyPlan::kWorker}; };
    handler.handle = [fd](std::shared_ptr<Exchange> exchange) {
        Response response{.status = 206, .headers = {}, .body = {}};
        bool too_far = exchange->head().target == "/too_far";
        Result<void> sent = exchange->SendFile(std::move(response), fd, 1000, too_far ? 1'000'000 : 900'000);
        EXPECT_EQ(sent.has_value(), !too_far);
    };
    auto server = StartServer(handler);
    TestClient client(server->port());
    for (int i = 0; i < 2; ++i) {
        client.Send(kGet);
        EXPECT_EQ(client.Receive().body, content.substr(1000, 900'000));
    }
    client.Send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client.Receive(true).Has("Content-Length: 900000"));
    client.Send("GET /too_far HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.Receive().status, 0);  // cut short, never filled up
    close(fd);
}

std::size_t ResidentBytes() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(Connection, StreamsAHugeBodyInFlatMemory) {
    TestHandler handler;
    Stream(handler);
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        std::vector<char> part(256 * 1024);
        std::size_t total = 0;
        while (true) {
            Result<std::size_t> num = exchange->ReadBody(part);
            if (!num || *num == 0) break;
            total += *num;
        }
        exchange->Send({.status = 200, .headers = {}, .body = std::to_string(total)});
    };
    auto server = StartServer(handler);
    constexpr std::size_t kTotal = 1'000'000'000;
    const std::string part(1'000'000, 'x');
    std::size_t before = ResidentBytes();
    TestClient client(server->port());
    client.Send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(kTotal) + "\r\n\r\n");
    for (std::size_t sent = 0; sent < kTotal; sent += part.size()) ASSERT_TRUE(client.Send(part));
    EXPECT_EQ(client.Receive().body, std::to_string(kTotal));
    EXPECT_LT(ResidentBytes(), before + 16'000'000);
}

TEST(Connection, EarlyAnswerReachesAClientThatIsStillSending) {
    TestHandler handler;
    Stream(handler);
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        exchange->Send({.status = 403, .headers = {}, .body = "no"});
    };
    auto server = StartServer(handler);
    TestClient client(server->port());
    client.Send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(client.Send(std::string(1'000'000, 'x')));
    ReceivedAnswer answer = client.Receive();
    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(answer.body, "no");
}

TEST(Connection, ValuesCannotStartNewFields) {
    TestHandler handler;
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        Response response;
        response.headers.Add("X-Meta", "a\r\nSet-Cookie: b\n\tc");
        response.headers.Add("Transfer-Encoding", "chunked");
        response.headers.Add("Content-Length", "7");
        response.body = "ok";
        exchange->Send(std::move(response));
    };
    auto server = StartServer(handler);
    TestClient client(server->port());
    client.Send(kGet);
    ReceivedAnswer answer = client.Receive();
    EXPECT_EQ(answer.body, "ok");
    EXPECT_TRUE(answer.Has("X-Meta: a  Set-Cookie: b \tc")) << answer.head;
    EXPECT_EQ(answer.head.find("Transfer-Encoding"), std::string::npos);
}

TEST(Connection, DrainFinishesWhatIsInFlightAndClosesTheIdle) {
    TestHandler handler;
    std::latch begun(1);
    std::latch release(1);
    handler.plan = [](const RequestHead&) { return BodyPlan{.mode = BodyPlan::kWorker}; };
    handler.handle = [&](std::shared_ptr<Exchange> exchange) {
        if (exchange->head().target == "/slow") {
            begun.count_down();
            release.wait();
        }
        exchange->Send({.status = 200, .headers = {}, .body = "done"});
    };
    auto server = StartServer(handler);
    TestClient idle(server->port());
    idle.Send(kGet);
    EXPECT_EQ(idle.Receive().status, 200);
    TestClient busy(server->port());
    busy.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    begun.wait();
    std::uint16_t port = server->port();
    std::jthread stopper([&] { server->Stop(std::chrono::seconds(10)); });
    EXPECT_TRUE(idle.AtEnd());
    release.count_down();
    ReceivedAnswer answer = busy.Receive();
    EXPECT_EQ(answer.body, "done");
    EXPECT_TRUE(answer.Has("Connection: close"));
    stopper.join();
    TestClient late(port);
    EXPECT_FALSE(late.connected());
}

TEST(Connection, StopCutsWhatOutlivesItsGraceAndLateAnswersGoNowhere) {
    TestHandler handler;
    std::shared_ptr<Exchange> held;
    std::latch begun(2);
    Stream(handler);
    handler.handle = [&](std::shared_ptr<Exchange> exchange) {
        if (exchange->head().target == "/held") {
            held = std::move(exchange);
            begun.count_down();
            return;
        }
        begun.count_down();
        char part[10];
        EXPECT_FALSE(exchange->ReadBody(part).has_value());  // blocked in here when the cut comes
        exchange->Send({});
    };
    auto server = StartServer(handler);
    TestClient first(server->port());
    first.Send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    TestClient second(server->port());
    second.Send("PUT /blocked HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
    begun.wait();
    auto start = steady_clock::now();
    server->Stop(milliseconds(50));
    EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(5));
    server.reset();
    held->Send({});
    held.reset();
    EXPECT_EQ(first.Receive().status, 0);
}

}  // namespace
}  // namespace espalier::http
