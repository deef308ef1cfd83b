#include <algorithm>
#include <optional>

#include "api/s3/aws_chunked.h"
#include "base/check.h"
#include "fuzz_target.h"

namespace espalier::fuzz {
namespace {

using api::PayloadMode;
using api::s3::Done;
using api::s3::S3Result;

struct Decoded {
    std::string body;
    bool sound = false;
    std::vector<std::pair<std::string, std::string>> trailers;
};

Decoded Decode(PayloadMode mode, std::string_view input, std::size_t piece) {
    api::ChunkSigningContext signing;  // signatures are accepted unverified: framing is what is tried here
    api::s3::AwsChunkedDecoder decoder(mode, signing);
    Decoded decoded;
    auto sink = [&](std::string_view bytes) -> S3Result<Done> {
        decoded.body += bytes;
        return Done{};
    };
    for (std::size_t at = 0; at < input.size(); at += piece) {
        if (!decoder.Feed(input.substr(at, piece), sink)) return decoded;
    }
    decoded.sound = decoder.Finish().has_value();
    if (decoded.sound) decoded.trailers = decoder.trailers();
    return decoded;
}

}  // namespace

// The first byte chooses the payload mode.
std::vector<std::string> Seeds() {
    std::string signature(64, 'a');
    return {"05\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "0a\r\n0123456789\r\n0\r\n\r\n",
            "15;chunk-signature=" + signature + "\r\nhello\r\n0;chunk-signature=" + signature + "\r\n\r\n",
            "23;chunk-signature=" + signature + "\r\nabc\r\n0;chunk-signature=" + signature +
                "\r\nx-amz-checksum-sha256:AA==\r\nx-amz-trailer-signature:" + signature + "\r\n\r\n"};
}

std::vector<std::string> Words() {
    return {"\r\n",
            "\n",
            ";chunk-signature=",
            std::string(64, '0'),
            "0\r\n",
            "x-amz-trailer-signature:",
            "x-amz-checksum-crc64nvme:",
            ":",
            "ffffffffffffffff",
            "\r\n\r\n"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    if (size == 0) return 0;
    constexpr api::PayloadMode kModes[] = {api::PayloadMode::kStreamingUnsignedTrailer,
                                           api::PayloadMode::kStreamingSigned,
                                           api::PayloadMode::kStreamingSignedTrailer};
    api::PayloadMode mode = kModes[data[0] % 3];
    std::string_view input = fuzz::AsText(data, size).substr(1);
    fuzz::Decoded whole = fuzz::Decode(mode, input, std::max<std::size_t>(input.size(), 1));
    CHECK(whole.body.size() <= input.size());
    for (std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
        fuzz::Decoded parts = fuzz::Decode(mode, input, piece);
        CHECK(parts.sound == whole.sound);
        if (whole.sound) CHECK(parts.body == whole.body && parts.trailers == whole.trailers);
    }
    return 0;
}
