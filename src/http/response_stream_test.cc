// Answers in parts: how they are framed, what becomes of slow clients and of those that leave.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <random>
#include <thread>
#include <vector>

#include "http/chunked_decoder.h"
#include "http/test_client.h"

namespace espalier::http {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Writes its parts as the client takes them.
class PartWriter : public std::enable_shared_from_this<PartWriter> {
  public:
    PartWriter(std::shared_ptr<Exchange> exchange, std::vector<std::string> parts, bool ends = true)
        : exchange_(std::move(exchange)), parts_(std::move(parts)), ends_(ends) {
        Response head;
        head.headers.Add("Content-Type", "text/plain");
        stream_ = exchange_->BeginStream(std::move(head));
    }

    void Run() {
        while (next_ < parts_.size()) {
            std::string part = parts_[next_++];
            switch (stream_->Write(std::move(part), [self = shared_from_this()] { self->Run(); })) {
                case ResponseStream::Taken::kAll:
                    break;
                case ResponseStream::Taken::kLater:
                    ++num_waits;
                    return;
                case ResponseStream::Taken::kGone:
                    return Finish(true);
            }
        }
        if (ends_) stream_->End();
        Finish(false);
    }
    /// True when the client went away.
    bool WaitUntilDone() { return done_.get_future().get(); }

    std::size_t num_written() const { return next_; }
    std::atomic<int> num_waits = 0;

  private:
    void Finish(bool gone) {
        stream_.reset();
        exchange_.reset();
        done_.set_value(gone);
    }

    std::shared_ptr<Exchange> exchange_;
    std::unique_ptr<ResponseStream> stream_;
    std::vector<std::string> parts_;
    const bool ends_;
    std::atomic<std::size_t> next_ = 0;
    std::promise<bool> done_;
};

/// Answers each request with the parts, and keeps the last writer.
struct PartsHandler {
    explicit PartsHandler(std::vector<std::string> parts, bool ends = true) {
        handler.handle = [this, parts = std::move(parts), ends](std::shared_ptr<Exchange> exchange) {
            auto writer = std::make_shared<PartWriter>(std::move(exchange), parts, ends);
            begun.set_value(writer);
            writer->Run();
        };
    }
    std::shared_ptr<PartWriter> Writer() { return begun.get_future().get(); }
    /// Once a part has not been taken by the peer.
    std::shared_ptr<PartWriter> WaitingWriter() {
        auto writer = Writer();
        while (writer->num_waits == 0) std::this_thread::yield();
        return writer;
    }

    TestHandler handler;
    std::promise<std::shared_ptr<PartWriter>> begun;
};

std::string ReadUntilClosed(const TestClient& client) {
    std::string all;
    char buffer[65536];
    while (ssize_t num = recv(client.socket_fd(), buffer, sizeof buffer, 0)) {
        if (num < 0) break;
        all.append(buffer, static_cast<std::size_t>(num));
    }
    return all;
}

/// More than the sockets' buffers hold.
std::vector<std::string> ManyParts() {
    return std::vector<std::string>(400, std::string(100'000, 'p'));
}

TEST(ResponseStreamTest, PartsAreChunksAndTheConnectionIsKept) {
    TestHandler handler;
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        std::make_shared<PartWriter>(exchange, std::vector<std::string>{"one", "", "twenty characters..."})->Run();
    };
    auto server = StartServer(handler);
    TestClient client(server->port());
    for (int round = 0; round < 2; ++round) {
        ASSERT_TRUE(client.Send(kGet));
        ReceivedAnswer head = client.Receive(true);
        EXPECT_EQ(head.status, 200);
        EXPECT_TRUE(head.Has("Transfer-Encoding: chunked")) << head.head;
        EXPECT_FALSE(head.Has("Connection: close"));
        EXPECT_EQ(head.head.find("Content-Length"), std::string::npos);
        EXPECT_EQ(client.ReceiveBytes(39), "3\r\none\r\n14\r\ntwenty characters...\r\n0\r\n\r\n");
    }
}

TEST(ResponseStreamTest, AnOldClientReadsUpToTheClose) {
    PartsHandler parts({"one", "two"});
    auto server = StartServer(parts.handler);
    TestClient client(server->port());
    ASSERT_TRUE(client.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    const std::string answer = ReadUntilClosed(client);
    EXPECT_EQ(answer.substr(answer.find("\r\n\r\n")), "\r\n\r\nonetwo");
    EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos);
    EXPECT_EQ(answer.find("Transfer-Encoding"), std::string::npos);
}

TEST(ResponseStreamTest, HeadIsAnsweredWithoutParts) {
    PartsHandler parts({"one", "two"});
    auto server = StartServer(parts.handler);
    TestClient client(server->port());
    ASSERT_TRUE(client.Send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    EXPECT_EQ(client.Receive(true).status, 200);
    EXPECT_TRUE(client.AtEnd());
}

TEST(ResponseStreamTest, AStreamWithoutPartsIsAnEmptyAnswer) {
    PartsHandler parts({});
    auto server = StartServer(parts.handler);
    TestClient client(server->port());
    ASSERT_TRUE(client.Send(kGet));
    EXPECT_EQ(client.Receive(true).status, 200);
    EXPECT_EQ(client.ReceiveBytes(5), "0\r\n\r\n");
}

TEST(ResponseStreamTest, ASlowClientHoldsTheWriterBack) {
    PartsHandler parts(ManyParts());
    auto server = StartServer(parts.handler);
    TestClient client(server->port());
    ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    auto writer = parts.WaitingWriter();
    EXPECT_LT(writer->num_written(), ManyParts().size());
    EXPECT_GT(ReadUntilClosed(client).size(), ManyParts().size() * 100'000);
    EXPECT_FALSE(writer->WaitUntilDone());
}

TEST(ResponseStreamTest, AClientThatLeavesEndsTheWork) {
    PartsHandler parts(ManyParts());
    auto server = StartServer(parts.handler);
    TestClient client(server->port());
    ASSERT_TRUE(client.Send(kGet));
    auto writer = parts.WaitingWriter();
    client.Close();
    EXPECT_TRUE(writer->WaitUntilDone());
    EXPECT_LT(writer->num_written(), ManyParts().size());
    while (server->num_connections() > 0) std::this_thread::yield();
}

TEST(ResponseStreamTest, AClientThatStallsIsCut) {
    PartsHandler parts(ManyParts());
    auto server = StartServer(parts.handler, {.write_stall_timeout = std::chrono::milliseconds(50)});
    TestClient client(server->port());
    ASSERT_TRUE(client.Send(kGet));
    EXPECT_TRUE(parts.Writer()->WaitUntilDone());
    while (server->num_connections() > 0) std::this_thread::yield();
}

TEST(ResponseStreamTest, AStoppedServerLetsTheWriterGo) {
    PartsHandler parts(ManyParts());
    auto server = StartServer(parts.handler);
    TestClient client(server->port());
    ASSERT_TRUE(client.Send(kGet));
    auto writer = parts.WaitingWriter();
    server->Stop(std::chrono::milliseconds(0));
    EXPECT_TRUE(writer->WaitUntilDone());
}

TEST(ResponseStreamTest, ADroppedStreamIsNotTakenForAWholeAnswer) {
    PartsHandler parts({"one"}, false);
    auto server = StartServer(parts.handler);
    TestClient client(server->port());
    ASSERT_TRUE(client.Send(kGet));
    const std::string answer = ReadUntilClosed(client);
    EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), "3\r\none\r\n");
}

TEST(ResponseStreamTest, NothingIsAnsweredTwice) {
    TestHandler handler;
    handler.handle = [](std::shared_ptr<Exchange> exchange) {
        exchange->Send({.status = 200, .headers = {}, .body = "first"});
        auto second = exchange->BeginStream({});
        EXPECT_EQ(second->Write("second", [] {}), ResponseStream::Taken::kGone);
        second->End();
    };
    auto server = StartServer(handler);
    TestClient client(server->port());
    ASSERT_TRUE(client.Send(kGet));
    EXPECT_EQ(client.Receive().body, "first");
    ASSERT_TRUE(client.Send(kGet));
    EXPECT_EQ(client.Receive().body, "first");
}

/// Whatever the parts' sizes and however the client reads, it decodes what was written.
TEST(ResponseStreamTest, RandomPartsArriveAsTheyWereWritten) {
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        std::vector<std::string> parts;
        std::string whole;
        for (unsigned i = 0; i < 1 + random() % 60; ++i) {
            const std::size_t size = random() % 4 == 0 ? random() % 300'000 : random() % 40;
            parts.emplace_back(size, static_cast<char>('a' + i % 26));
            whole += parts.back();
        }
        PartsHandler handler(parts);
        auto server = StartServer(handler.handler);
        TestClient client(server->port());
        ASSERT_TRUE(client.Send(kGet));
        ASSERT_EQ(client.Receive(true).status, 200);
        ChunkedDecoder decoder;
        std::string body;
        std::string output(400'000, '\0');
        while (!decoder.done()) {
            std::string input = client.ReceiveBytes(0, 1 + random() % 100'000);
            ASSERT_FALSE(input.empty());
            for (std::string_view rest = input; !rest.empty() && !decoder.done();) {
                ChunkedDecoder::Step step = decoder.Decode(rest, output);
                ASSERT_FALSE(decoder.failed());
                rest.remove_prefix(step.consumed);
                body.append(output, 0, step.produced);
            }
        }
        EXPECT_EQ(body == whole, true) << "seed " << seed;
    }
}

}  // namespace
}  // namespace espalier::http
