#include "api/auth/authenticator.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::api {
namespace {

// The examples of the S3 documentation (Authenticating Requests: Authorization header; chunked upload).
constexpr const char* kKeyId = "AKIAIOSFODNN7EXAMPLE";
constexpr const char* kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
constexpr UnixMillis kExampleTime = 1369353600000;  // 2013-05-24T00:00:00Z

class FixedClock final : public Clock {
  public:
    explicit FixedClock(UnixMillis now) : now_(now) {}
    UnixMillis WallMillis() const override { return now_; }
    std::chrono::steady_clock::time_point Now() const override { return {}; }

  private:
    UnixMillis now_;
};

class AuthenticatorTest : public testing::Test {
  protected:
    AuthenticatorTest() { keyring_.Add(kKeyId, {kSecret}); }

    AuthResult Check(const http::RequestHead& head, UnixMillis now = kExampleTime, bool open = false) {
        FixedClock clock(now);
        return Authenticator({.open = open}, keyring_, clock).Authenticate(head, std::nullopt);
    }
    static AuthFault FaultOf(const AuthResult& result) { return std::get<AuthFailure>(result).fault; }

    Keyring keyring_;
};

http::RequestHead GetObjectExample() {
    http::RequestHead head;
    head.method = "GET";
    head.target = "/test.txt";
    head.headers.Add("Host", "examplebucket.s3.amazonaws.com");
    head.headers.Add("Range", "bytes=0-9");
    head.headers.Add("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    head.headers.Add("x-amz-date", "20130524T000000Z");
    head.headers.Add("Authorization",
                     "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                     "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                     "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    return head;
}

TEST_F(AuthenticatorTest, AcceptsTheDocumentedGetObject) {
    AuthResult result = Check(GetObjectExample());
    ASSERT_TRUE(std::holds_alternative<Principal>(result)) << std::get<AuthFailure>(result).detail;
    const auto& principal = std::get<Principal>(result);
    EXPECT_EQ(principal.access_key_id, kKeyId);
    EXPECT_EQ(principal.account_id, "123456789012");
    EXPECT_EQ(principal.arn(), "arn:aws:sts::123456789012:assumed-role/LocalSageMakerRole/local");
    EXPECT_EQ(principal.region, "us-east-1");
    EXPECT_EQ(principal.service, "s3");
    EXPECT_EQ(principal.payload_mode, PayloadMode::kSignedHash);
    EXPECT_EQ(principal.payload_sha256_hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(AuthenticatorTest, AcceptsTheDocumentedLinkUntilItExpires) {
    http::RequestHead head;
    head.method = "GET";
    head.target =
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%"
        "2F"
        "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    head.headers.Add("Host", "examplebucket.s3.amazonaws.com");
    EXPECT_TRUE(std::holds_alternative<Principal>(Check(head)));
    EXPECT_TRUE(std::holds_alternative<Principal>(Check(head, kExampleTime + 86'400'000)));
    EXPECT_EQ(FaultOf(Check(head, kExampleTime + 86'401'000)), AuthFault::kExpired);
    EXPECT_EQ(FaultOf(Check(head, kExampleTime - kClockSkewMaxMillis - 1)), AuthFault::kExpired);
    head.target.back() = '5';
    EXPECT_EQ(FaultOf(Check(head)), AuthFault::kMismatch);
}

TEST_F(AuthenticatorTest, ClockSkewAtItsEdge) {
    for (int sign : {-1, 1}) {
        EXPECT_TRUE(
            std::holds_alternative<Principal>(Check(GetObjectExample(), kExampleTime + sign * kClockSkewMaxMillis)));
        EXPECT_EQ(FaultOf(Check(GetObjectExample(), kExampleTime + sign * (kClockSkewMaxMillis + 1))),
                  AuthFault::kSkewed);
    }
}

TEST_F(AuthenticatorTest, RefusesDoubledAndUnsignedHeaders) {
    for (const char* name : {"x-amz-date", "X-Amz-Content-Sha256", "authorization"}) {
        http::RequestHead head = GetObjectExample();
        head.headers.Add(name, std::string(head.headers.Get(name)));
        EXPECT_EQ(FaultOf(Check(head)), AuthFault::kMalformed) << name;
    }
    http::RequestHead added = GetObjectExample();
    added.headers.Add("X-Amz-Meta-A", "1");
    EXPECT_EQ(FaultOf(Check(added)), AuthFault::kHeadersNotSigned);
    http::RequestHead host_not_signed = GetObjectExample();
    host_not_signed.headers.Set("Authorization",
                                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                                "SignedHeaders=range;x-amz-content-sha256;x-amz-date,Signature=00");
    EXPECT_EQ(FaultOf(Check(host_not_signed)), AuthFault::kHeadersNotSigned);
}

TEST_F(AuthenticatorTest, OpenModeReadsWithoutVerifying) {
    http::RequestHead head = GetObjectExample();
    head.headers.Set("Authorization",
                     "AWS4-HMAC-SHA256 Credential=111122223333/20130524/eu-west-1/s3/aws4_request,"
                     "SignedHeaders=host,Signature=nonsense");
    AuthResult result = Check(head, 0, true);
    const auto& principal = std::get<Principal>(result);
    EXPECT_EQ(principal.account_id, "111122223333");
    EXPECT_EQ(principal.region, "eu-west-1");
    EXPECT_EQ(principal.payload_sha256_hex, "");
    http::RequestHead bare;
    bare.method = "GET";
    bare.target = "/";
    EXPECT_EQ(std::get<Principal>(Check(bare, 0, true)).account_id, "123456789012");
    EXPECT_EQ(FaultOf(Check(bare)), AuthFault::kMissing);
}

// "Example Calculations: Transferring Payload in Multiple Chunks": 65 KiB of 'a' in a 64 KiB and a 1 KiB chunk.
class ChunkSignaturesTest : public AuthenticatorTest {
  protected:
    ChunkSigningContext Seed() {
        http::RequestHead head;
        head.method = "PUT";
        head.target = "/examplebucket/chunkObject.txt";
        head.headers.Add("Host", "s3.amazonaws.com");
        head.headers.Add("x-amz-date", "20130524T000000Z");
        head.headers.Add("x-amz-storage-class", "REDUCED_REDUNDANCY");
        head.headers.Add("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        head.headers.Add("Content-Encoding", "aws-chunked");
        head.headers.Add("x-amz-decoded-content-length", "66560");
        head.headers.Add("Content-Length", "66824");
        head.headers.Add("Authorization",
                         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                         "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
                         "x-amz-decoded-content-length;x-amz-storage-class,"
                         "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
        AuthResult result = Check(head);
        EXPECT_TRUE(std::holds_alternative<Principal>(result));
        if (auto* principal = std::get_if<Principal>(&result)) {
            EXPECT_EQ(principal->payload_mode, PayloadMode::kStreamingSigned);
            return principal->chunk_signing;
        }
        return {};
    }
};

TEST_F(ChunkSignaturesTest, AcceptTheDocumentedChain) {
    ChunkSignatures signatures(Seed());
    EXPECT_TRUE(signatures.CheckChunk(Sha256::Of(std::string(65536, 'a')),
                                      "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"));
    EXPECT_TRUE(signatures.CheckChunk(Sha256::Of(std::string(1024, 'a')),
                                      "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"));
    EXPECT_TRUE(
        signatures.CheckChunk(Sha256::Of(""), "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"));
}

TEST_F(ChunkSignaturesTest, StayBrokenAfterOneWrongChunk) {
    ChunkSignatures signatures(Seed());
    EXPECT_FALSE(signatures.CheckChunk(Sha256::Of(std::string(65536, 'b')),
                                       "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"));
    EXPECT_FALSE(signatures.CheckChunk(Sha256::Of(std::string(1024, 'a')),
                                       "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"));
    ChunkSignatures reordered(Seed());
    EXPECT_FALSE(reordered.CheckChunk(Sha256::Of(std::string(1024, 'a')),
                                      "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"));
}

TEST(Canonical, PathsAndQueries) {
    EXPECT_EQ(CanonicalPathOnce("/b/a%2bb//../x y+z"), "/b/a%2Bb//../x%20y%2Bz");
    EXPECT_EQ(CanonicalPathTwice("/a%20b//./c/../d/"), "/a%2520b/d/");
    EXPECT_EQ(CanonicalPathTwice("/"), "/");
    EXPECT_EQ(CanonicalPathTwice("/../.."), "/");
    EXPECT_EQ(CanonicalQuery(SplitQuery("b=2&a=x+y&uploads&&a=%2f&B"), ""), "B=&a=%2F&a=x%20y&b=2&uploads=");
    EXPECT_EQ(CanonicalQuery(SplitQuery("a=1&X-Amz-Signature=z"), "X-Amz-Signature"), "a=1");
    EXPECT_EQ(QueryValue(SplitQuery("a=%zz"), "a"), std::nullopt);
}

TEST(Canonical, HeaderValuesLoseBlanksThatDoNotCount) {
    http::Headers headers;
    headers.Add("Plain", "text/x-libsvm; charset=utf-8");
    headers.Add("Blanks", "  a  b\t c\t");
    headers.Add("Tab", "a\tb");
    headers.Add("Twice", "one ");
    headers.Add("twice", " two");
    headers.Add("Empty", "");
    headers.Add("Only", "   ");
    const auto canonical = [&headers](std::string_view name) {
        std::string value;
        AppendCanonicalHeaderValue(headers, name, value);
        return value;
    };
    EXPECT_EQ(canonical("plain"), "text/x-libsvm; charset=utf-8");
    EXPECT_EQ(canonical("blanks"), "a b c");
    EXPECT_EQ(canonical("tab"), "a b");
    EXPECT_EQ(canonical("twice"), "one,two");
    EXPECT_EQ(canonical("empty"), "");
    EXPECT_EQ(canonical("only"), "");
    EXPECT_EQ(canonical("absent"), "");
}

TEST(Canonical, Dates) {
    EXPECT_EQ(ParseAmzDate("20130524T000000Z"), kExampleTime);
    EXPECT_EQ(ParseHttpDate("Fri, 24 May 2013 00:00:00 GMT"), kExampleTime);
    EXPECT_EQ(ParseHttpDate("Fri, 24 May 2013 00:00:00 +0000"), kExampleTime);
    EXPECT_EQ(FormatAmzDate(kExampleTime), "20130524T000000Z");
    EXPECT_EQ(FormatAmzDate(*ParseAmzDate("20240229T235959Z")), "20240229T235959Z");
    for (const char* text :
         {"", "20130524T000000", "20130524 000000Z", "2013-05-24T00:00", "20131324T000000Z", " 0130524T000000Z",
          "20130230T000000Z", "20130524T240000Z", "20130524T006000Z", "20130524T000061Z"}) {
        EXPECT_EQ(ParseAmzDate(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace espalier::api
