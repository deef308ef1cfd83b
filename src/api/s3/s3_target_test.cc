#include "api/s3/s3_target.h"

#include <gtest/gtest.h>

#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/s3_time.h"

namespace espalier::api::s3 {
namespace {

std::optional<S3Target> Parse(std::string target, std::string host = "127.0.0.1:8642") {
    http::RequestHead head;
    head.target = std::move(target);
    head.headers.Add("Host", std::move(host));
    return ParseTarget(head, {"localhost", "s3.amazonaws.com"});
}

TEST(S3TargetTest, PathStyle) {
    EXPECT_EQ(Parse("/")->bucket, "");
    EXPECT_EQ(Parse("/b")->bucket, "b");
    EXPECT_EQ(Parse("/b/")->key, "");
    EXPECT_EQ(Parse("/b/a//../%2Fx+%20y")->key, "a//..//x+ y");
    EXPECT_EQ(Parse("/b//k")->key, "/k");
    EXPECT_EQ(Parse("/b/k?prefix=a%2Fb+c&flag&=x")->Parameter("prefix"), "a/b c");
    EXPECT_EQ(Parse("/b/k?flag")->Parameter("flag"), "");
    EXPECT_EQ(Parse("/b/k?flag")->Parameter("other"), std::nullopt);
    for (const char* bad : {"", "b/k", "/b/%", "/b/%4", "/b/%zz", "/%/k", "/b?x=%"}) EXPECT_FALSE(Parse(bad)) << bad;
}

TEST(S3TargetTest, VirtualHostStyle) {
    EXPECT_EQ(Parse("/k", "my.b.localhost:8642")->bucket, "my.b");
    EXPECT_EQ(Parse("/a/k", "B.S3.amazonaws.com")->bucket, "b");
    EXPECT_EQ(Parse("/a/k", "b.s3.amazonaws.com")->key, "a/k");
    for (const char* host : {"localhost", "localhost:1", "xlocalhost", "[::1]:8642", "127.0.0.1", "evil.example", ""}) {
        EXPECT_EQ(Parse("/a/k", host)->bucket, "a") << host;
    }
}

TEST(S3OperationsTest, EveryRowIsFoundAndNothingElse) {
    const auto name = [](std::string method, std::string target, bool copy = false) {
        http::RequestHead head;
        head.method = std::move(method);
        head.target = std::move(target);
        if (copy) head.headers.Add("x-amz-copy-source", "b/k");
        S3Result<const OperationRow*> row = FindOperation(head, *ParseTarget(head, {}));
        return row ? std::string((*row)->name) : "! " + std::string(row.error().wire_code());
    };
    EXPECT_EQ(name("GET", "/"), "ListBuckets");
    EXPECT_EQ(name("GET", "/b?list-type=2&prefix"), "ListObjects");
    EXPECT_EQ(name("GET", "/b/k?versionId=null&response-expires=x&x-id=GetObject"), "GetObject");
    EXPECT_EQ(name("PUT", "/b/k", true), "CopyObject");
    EXPECT_EQ(name("PUT", "/b/k"), "PutObject");
    EXPECT_EQ(name("PUT", "/b/k?partNumber=1&uploadId=u"), "UploadPart");
    EXPECT_EQ(name("PUT", "/b/k?partNumber=1&uploadId=u", true), "UploadPartCopy");
    EXPECT_EQ(name("POST", "/b/k?uploads"), "CreateMultipartUpload");
    EXPECT_EQ(name("GET", "/b/k?acl"), "! NotImplemented");
    EXPECT_EQ(name("GET", "/b/k?attributes"), "! NotImplemented");
    EXPECT_EQ(name("DELETE", "/b?policy"), "! NotImplemented");
    EXPECT_EQ(name("GET", "/b/k?whatever"), "! NotImplemented");
    EXPECT_EQ(name("GET", "/b/k?uploads&uploadId=u"), "! InvalidArgument");
    EXPECT_EQ(name("PATCH", "/b/k"), "! MethodNotAllowed");
    EXPECT_EQ(name("DELETE", "/"), "! MethodNotAllowed");
}

TEST(S3TimeTest, HttpDates) {
    const UnixMillis time = 784111777000;  // RFC 9110, 5.6.7
    EXPECT_EQ(FormatHttpDate(time + 999), "Sun, 06 Nov 1994 08:49:37 GMT");
    for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                             "Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z"}) {
        EXPECT_EQ(ParseHttpDate(text), time) << text;
    }
    for (const char* text : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT+1"}) {
        EXPECT_EQ(ParseHttpDate(text), std::nullopt) << text;
    }
    EXPECT_EQ(FormatIso8601(time + 7), "1994-11-06T08:49:37.007Z");
}

TEST(RangeTest, Forms) {
    const auto range = [](std::optional<std::string_view> header, std::uint64_t size) -> std::string {
        auto parsed = ParseRange(header, size);
        if (!parsed) return "!";
        return *parsed ? std::to_string((*parsed)->offset) + "+" + std::to_string((*parsed)->size_bytes) : "all";
    };
    EXPECT_EQ(range(std::nullopt, 10), "all");
    EXPECT_EQ(range("bytes=0-0", 10), "0+1");
    EXPECT_EQ(range("bytes=2-", 10), "2+8");
    EXPECT_EQ(range("bytes=2-100", 10), "2+8");
    EXPECT_EQ(range("bytes=-3", 10), "7+3");
    EXPECT_EQ(range("bytes=-30", 10), "0+10");
    EXPECT_EQ(range("bytes=0-18446744073709551615", 10), "0+10");
    for (const char* ignored : {"", "bytes", "bytes=", "bytes=-", "bytes=3-2", "bytes=+1-2", "bytes=1-2,4-5",
                                "items=0-1", "bytes=0-99999999999999999999", "bytes=a-"}) {
        EXPECT_EQ(range(ignored, 10), "all") << ignored;
    }
    for (const char* outside : {"bytes=10-", "bytes=10-11", "bytes=-0"}) EXPECT_EQ(range(outside, 10), "!") << outside;
    EXPECT_EQ(range("bytes=0-", 0), "!");
    EXPECT_EQ(range("bytes=-1", 0), "!");
}

}  // namespace
}  // namespace espalier::api::s3
