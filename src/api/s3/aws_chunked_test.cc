#include "api/s3/aws_chunked.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace espalier::api::s3 {
namespace {

// The example of the S3 API reference ("Example: PUT object with chunked upload"): 66,560 bytes 'a', published key,
// date and signatures.
constexpr std::string_view kSeed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
constexpr std::string_view kChunk1 = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";
constexpr std::string_view kChunk2 = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497";
constexpr std::string_view kChunk3 = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9";

ChunkSigningContext PublishedContext() {
    ChunkSigningContext context;
    context.signing_key = HmacSha256("AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524");
    for (const char* step : {"us-east-1", "s3", "aws4_request"}) {
        context.signing_key = HmacSha256(AsChars(context.signing_key), step);
    }
    context.amz_date = "20130524T000000Z";
    context.scope = "20130524/us-east-1/s3/aws4_request";
    context.seed_signature = kSeed;
    context.verify = true;
    return context;
}

std::string Frame(std::string_view size, std::string_view signature, std::string_view data) {
    return std::string(size) + ";chunk-signature=" + std::string(signature) + "\r\n" + std::string(data) + "\r\n";
}

/// Decodes `body` in pieces of `step` bytes; the data, or the wire code of the error.
std::string Decode(PayloadMode mode, const ChunkSigningContext& context, std::string_view body, std::size_t step,
                   std::vector<std::pair<std::string, std::string>>* trailers = nullptr) {
    AwsChunkedDecoder decoder(mode, context);
    std::string data;
    for (std::size_t at = 0; at < body.size(); at += step) {
        S3Result<Done> fed = decoder.Feed(body.substr(at, step), [&](std::string_view piece) -> S3Result<Done> {
            data += piece;
            return Done{};
        });
        if (!fed) return "! " + std::string(fed.error().wire_code());
    }
    S3Result<Done> finished = decoder.Finish();
    if (!finished) return "! " + std::string(finished.error().wire_code());
    if (trailers != nullptr) *trailers = decoder.trailers();
    return data;
}

TEST(AwsChunkedTest, PublishedExample) {
    const std::string body = Frame("10000", kChunk1, std::string(65536, 'a')) +
                             Frame("400", kChunk2, std::string(1024, 'a')) + Frame("0", kChunk3, "");
    for (const std::size_t step : {1UL, 7UL, 4096UL, body.size()}) {
        EXPECT_EQ(Decode(PayloadMode::kStreamingSigned, PublishedContext(), body, step), std::string(66560, 'a'));
    }
    std::string changed = body;
    changed[100] = 'b';
    EXPECT_EQ(Decode(PayloadMode::kStreamingSigned, PublishedContext(), changed, 4096), "! SignatureDoesNotMatch");
    // A chunk left out, the last chunk left out, chunks swapped.
    const std::string second = Frame("400", kChunk2, std::string(1024, 'a'));
    EXPECT_EQ(Decode(PayloadMode::kStreamingSigned, PublishedContext(), second + Frame("0", kChunk3, ""), 4096),
              "! SignatureDoesNotMatch");
    EXPECT_EQ(Decode(PayloadMode::kStreamingSigned, PublishedContext(), body.substr(0, body.size() - 90), 4096),
              "! IncompleteBody");
}

TEST(AwsChunkedTest, UnsignedWithTrailer) {
    // The bytes that boto3 sends over TLS (contracts/api.md 1.8).
    const std::string body = "b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
    for (std::size_t step = 1; step <= body.size(); ++step) {
        std::vector<std::pair<std::string, std::string>> trailers;
        EXPECT_EQ(Decode(PayloadMode::kStreamingUnsignedTrailer, {}, body, step, &trailers), "hello world");
        ASSERT_EQ(trailers.size(), 1u);
        EXPECT_EQ(trailers[0], (std::pair<std::string, std::string>("x-amz-checksum-crc32", "DUoRhQ==")));
    }
    // Every cut of it is noticed, but for the empty line at the end, which some clients leave out.
    for (std::size_t size = 0; size + 2 < body.size(); ++size) {
        const std::string decoded = Decode(PayloadMode::kStreamingUnsignedTrailer, {}, body.substr(0, size), 5);
        const bool ends_after_last_chunk = size == std::string_view("b\r\nhello world\r\n0\r\n").size();
        EXPECT_EQ(decoded, ends_after_last_chunk ? "hello world" : "! IncompleteBody") << size;
    }
}

TEST(AwsChunkedTest, TrailersAsTheReferenceShowsThem) {
    // "Signature calculations ... including trailing headers": a bare line feed, an empty line, then the signature.
    ChunkSigningContext context = PublishedContext();
    context.verify = false;
    const std::string body = Frame("2", kChunk1, "ab") + "0;chunk-signature=" + std::string(kChunk3) +
                             "\r\nx-amz-checksum-crc32c:wdBDMA==\n\r\nx-amz-trailer-signature:" + std::string(kChunk2) +
                             "\r\n\r\n";
    for (std::size_t step = 1; step < 40; ++step) {
        std::vector<std::pair<std::string, std::string>> trailers;
        EXPECT_EQ(Decode(PayloadMode::kStreamingSignedTrailer, context, body, step, &trailers), "ab");
        ASSERT_EQ(trailers.size(), 1u);
        EXPECT_EQ(trailers[0].second, "wdBDMA==");
    }
}

TEST(AwsChunkedTest, BrokenFrames) {
    const auto decode = [](std::string_view body) {
        return Decode(PayloadMode::kStreamingUnsignedTrailer, {}, body, 3);
    };
    EXPECT_EQ(decode("0\r\n\r\n"), "");
    for (const char* body : {"", "\r\n", "x\r\n", "-1\r\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "2\r\na\r\n0\r\n\r\n",
                             "0\r\n\r\nmore", "11111111111111111\r\n", "0x1\r\na\r\n0\r\n\r\n", "1\na\r\n0\r\n\r\n",
                             "1\r\na\n0\r\n\r\n", " 1\r\na\r\n0\r\n\r\n"}) {
        EXPECT_EQ(decode(body), "! IncompleteBody") << body;
    }
    EXPECT_EQ(decode("0\r\nno colon\r\n\r\n"), "! MalformedTrailerError");
    EXPECT_EQ(decode("0\r\n:x\r\n\r\n"), "! MalformedTrailerError");
    EXPECT_EQ(decode(std::string(kChunkLineBytesMax + 1, '0') + "\r\n\r\n"), "! IncompleteBody");
    EXPECT_EQ(decode(std::string(kChunkLineBytesMax, '0') + "\r\n\r\n"), "");
    std::string trailers = "0\r\n";
    for (int i = 0; i < 200; ++i) trailers += "x-amz-meta-" + std::to_string(i) + ":" + std::string(40, 'v') + "\r\n";
    EXPECT_EQ(decode(trailers + "\r\n"), "! MalformedTrailerError");
}

}  // namespace
}  // namespace espalier::api::s3
