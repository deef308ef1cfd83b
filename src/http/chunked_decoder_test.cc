#include "http/chunked_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace espalier::http {
namespace {

struct Decoded {
    std::string body;
    std::string rest;  // after the body's end
    bool done = false;
    bool failed = false;
};

Decoded Decode(std::string_view input, std::size_t input_step, std::size_t output_step) {
    ChunkedDecoder decoder;
    Decoded decoded;
    std::vector<char> output(output_step);
    std::size_t position = 0;
    while (position < input.size() && !decoder.done() && !decoder.failed()) {
        auto step = decoder.Decode(input.substr(position, input_step), output);
        decoded.body.append(output.data(), step.produced);
        position += step.consumed;
        if (step.consumed == 0 && step.produced == 0) break;
    }
    decoded.rest = input.substr(position);
    decoded.done = decoder.done();
    decoded.failed = decoder.failed();
    return decoded;
}

TEST(ChunkedDecoder, DecodesWhateverTheCuts) {
    const std::string input =
        "5\r\nhello\r\n006;name=\"v;w\"\r\n world\r\n1\r\n\n\r\n0;last\r\nTrailer: v\r\nOther:\r\n\r\nGET / HTTP/1.1";
    for (std::size_t in : {1u, 2u, 3u, 7u, 1000u}) {
        for (std::size_t out : {1u, 2u, 5u, 1000u}) {
            Decoded decoded = Decode(input, in, out);
            EXPECT_TRUE(decoded.done) << in << " " << out;
            EXPECT_EQ(decoded.body, "hello world\n");
            EXPECT_EQ(decoded.rest, "GET / HTTP/1.1");
        }
    }
}

TEST(ChunkedDecoder, RefusesMalformedChunks) {
    for (const char* input : {
             "\r\n",                     // no size
             "g\r\n",                    // no digit
             "-1\r\n",                   // sign
             "0x5\r\n",                  // prefix
             " 5\r\nhello\r\n",          // blank before
             "5 \r\nhello\r\n",          // blank after
             "5\nhello\r\n",             // bare LF after the size
             "5\r\rhello\r\n",           // CR CR
             "5\r\nhello\n0\r\n\r\n",    // bare LF after the data
             "5\r\nhelloX\r\n",          // longer than said
             "4\r\nhello\r\n0\r\n\r\n",  // shorter than said
             "11112222333344445\r\n",    // 17 digits
             "8000000000000000\r\n",     // would overflow with one more digit
             "5;a\nb\r\nhello\r\n",      // LF in an extension
             "0\r\nTrailer\r\n\r\n",     // trailer without a colon
             "0\r\n Folded: v\r\n\r\n",  // folded trailer
             "0\r\n: v\r\n\r\n",         // trailer without a name
             "0\r\nTrailer: v\n\r\n",    // bare LF in the trailers
             "0\r\n\rX",                 // CR without LF at the end
             "0\r\n\n",                  // bare LF at the end
         }) {
        EXPECT_TRUE(Decode(input, 1000, 1000).failed || Decode(input, 1000, 1000).body.empty()) << input;
        EXPECT_FALSE(Decode(input, 1000, 1000).done) << input;
    }
}

TEST(ChunkedDecoder, LimitsAtTheirEdges) {
    auto extension = [](std::size_t size) { return "1;" + std::string(size, 'e') + "\r\nx\r\n0\r\n\r\n"; };
    EXPECT_TRUE(Decode(extension(ChunkedDecoder::kExtensionBytesMax), 64, 64).done);
    EXPECT_TRUE(Decode(extension(ChunkedDecoder::kExtensionBytesMax + 1), 64, 64).failed);
    auto trailer = [](std::size_t size) { return "0\r\nt:" + std::string(size - 2, 'v') + "\r\n\r\n"; };
    EXPECT_TRUE(Decode(trailer(ChunkedDecoder::kTrailerBytesMax), 64, 64).done);
    EXPECT_TRUE(Decode(trailer(ChunkedDecoder::kTrailerBytesMax + 1), 64, 64).failed);
}

}  // namespace
}  // namespace espalier::http
