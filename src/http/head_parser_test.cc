#include "http/head_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace espalier::http {
namespace {

int StatusOf(const std::string& bytes) {
    ParsedHead parsed;
    auto error = ParseHead(bytes, parsed);
    return error ? error->status : 200;
}

std::string With(const std::string& fields) {
    return "POST /a HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}

TEST(HeadParser, KeepsTargetAndFieldsAsReceived) {
    ParsedHead parsed;
    ASSERT_FALSE(
        ParseHead("PUT /b/a%2Bb%20c//../x?uploads&k=%2f HTTP/1.1\r\nhOsT: h:1\r\nX-A:  v 1 \r\nX-A: v2\r\n"
                  "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n",
                  parsed));
    EXPECT_EQ(parsed.head.method, "PUT");
    EXPECT_EQ(parsed.head.raw_path(), "/b/a%2Bb%20c//../x");
    EXPECT_EQ(parsed.head.raw_query(), "uploads&k=%2f");
    EXPECT_EQ(parsed.head.headers.Get("x-a"), "v 1");
    EXPECT_EQ(parsed.head.headers.fields()[2].second, "v2");
    EXPECT_EQ(parsed.head.content_length, 5u);
    EXPECT_TRUE(parsed.head.expects_continue);
    EXPECT_FALSE(parsed.head.chunked);
    EXPECT_TRUE(parsed.keep_alive);
}

TEST(HeadParser, KnowsWhenTheConnectionEnds) {
    auto keeps = [](const std::string& bytes) {
        ParsedHead parsed;
        EXPECT_FALSE(ParseHead(bytes, parsed)) << bytes;
        return parsed.keep_alive;
    };
    EXPECT_TRUE(keeps(With("")));
    EXPECT_FALSE(keeps(With("Connection: foo, Close\r\n")));
    EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
    EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

struct FramingCase {
    const char* what;
    std::string bytes;
    int status;
};

// reliability.md S2: what two parsers could read differently.
TEST(HeadParser, FramingTable) {
    const std::string length = "Content-Length: 5\r\n";
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    const FramingCase cases[] = {
        {"plain", With(length), 200},
        {"chunked", With(chunked), 200},
        {"chunked in odd case", With("transfer-encoding: ChUnKeD\r\n"), 200},
        {"no body", With(""), 200},
        {"length and coding", With(length + chunked), 400},
        {"coding and length", With(chunked + length), 400},
        {"the same length twice", With(length + length), 400},
        {"two lengths", With(length + "Content-Length: 6\r\n"), 400},
        {"two lengths in one field", With("Content-Length: 5, 6\r\n"), 400},
        {"the same length twice in one field", With("Content-Length: 5, 5\r\n"), 400},
        {"signed length", With("Content-Length: +5\r\n"), 400},
        {"negative length", With("Content-Length: -5\r\n"), 400},
        {"hexadecimal length", With("Content-Length: 0x5\r\n"), 400},
        {"length with a fraction", With("Content-Length: 5.0\r\n"), 400},
        {"empty length", With("Content-Length: \r\n"), 400},
        {"length over 64 bits", With("Content-Length: 18446744073709551616\r\n"), 400},
        {"length of 19 digits", With("Content-Length: 1000000000000000000\r\n"), 400},
        {"length of 18 digits", With("Content-Length: 999999999999999999\r\n"), 200},
        {"coding twice", With(chunked + chunked), 400},
        {"unknown coding", With("Transfer-Encoding: gzip\r\n"), 501},
        {"two codings", With("Transfer-Encoding: gzip, chunked\r\n"), 501},
        {"nearly chunked", With("Transfer-Encoding: xchunked\r\n"), 501},
        {"identity", With("Transfer-Encoding: identity\r\n"), 501},
        {"coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: x\r\n" + chunked + "\r\n", 400},
        {"blank before the colon", With("Content-Length : 5\r\n"), 400},
        {"folded line", With("X-A: 1\r\n 2\r\n"), 400},
        {"folded by a tab", With("X-A: 1\r\n\t2\r\n"), 400},
        {"folded first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
        {"bare line feed", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400},
        {"bare carriage return", With("X-A: 1\r2\r\n"), 400},
        {"NUL in a value", With(std::string("X-A: 1\0\r\n", 9)), 400},
        {"no colon", With("X-A\r\n"), 400},
        {"empty name", With(": 1\r\n"), 400},
        {"name with a blank", With("X A: 1\r\n"), 400},
        {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
        {"two hosts", With("Host: y\r\n"), 400},
        {"no version", "GET /\r\nHost: x\r\n\r\n", 400},
        {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"lower-case http", "GET / http/1.1\r\nHost: x\r\n\r\n", 400},
        {"two blanks", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"blank in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"absolute target", "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"star target", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"no method", " / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"control character in the target", "GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"other expectation", With("Expect: 200-ok\r\n"), 417},
    };
    for (const FramingCase& c : cases) EXPECT_EQ(StatusOf(c.bytes), c.status) << c.what;
}

TEST(HeadParser, LimitsAtTheirEdges) {
    auto target = [](std::size_t size) {
        return "GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n";
    };
    EXPECT_EQ(StatusOf(target(kTargetBytesMax)), 200);
    EXPECT_EQ(StatusOf(target(kTargetBytesMax + 1)), 414);
    auto fields = [](std::size_t num) {
        std::string text;
        for (std::size_t i = 1; i < num; ++i) text += "X-" + std::to_string(i) + ": v\r\n";
        return With(text);
    };
    EXPECT_EQ(StatusOf(fields(kHeadFieldsMax)), 200);
    EXPECT_EQ(StatusOf(fields(kHeadFieldsMax + 1)), 431);
    EXPECT_EQ(StatusOf(std::string(32, 'M') + " / HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    EXPECT_EQ(StatusOf(std::string(33, 'M') + " / HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
}

// Whatever the bytes, the parser answers; the seeds are cut, doubled and flipped heads.
TEST(HeadParser, SurvivesMutations) {
    const std::string seed =
        "PUT /b/k?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nExpect: "
        "100-continue\r\n"
        "X-A: b\r\n\r\n";
    std::uint64_t state = 42;
    auto next = [&] { return state = state * 6364136223846793005 + 1442695040888963407; };
    for (int i = 0; i < 20000; ++i) {
        std::string bytes = seed;
        for (int flips = 0; flips < 1 + i % 4; ++flips) bytes[next() % bytes.size()] = static_cast<char>(next() >> 56);
        if (i % 5 == 0) bytes.resize(next() % bytes.size());
        int status = StatusOf(bytes);
        ASSERT_TRUE(status == 200 || (status >= 400 && status <= 505)) << status;
    }
}

}  // namespace
}  // namespace espalier::http
