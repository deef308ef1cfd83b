#include <algorithm>
#include <array>

#include "base/check.h"
#include "fuzz_target.h"
#include "http/chunked_decoder.h"

namespace espalier::fuzz {
namespace {

struct Decoded {
    std::string body;
    std::size_t consumed = 0;
    bool done = false;
    bool failed = false;
};

// Input in pieces of `piece` bytes, output in pieces of `room`.
Decoded Decode(std::string_view input, std::size_t piece, std::size_t room) {
    http::ChunkedDecoder decoder;
    Decoded decoded;
    std::array<char, 4096> out{};
    while (decoded.consumed < input.size() && !decoder.done() && !decoder.failed()) {
        std::string_view part = input.substr(decoded.consumed, piece);
        http::ChunkedDecoder::Step step = decoder.Decode(part, std::span(out).first(room));
        CHECK(step.consumed <= part.size() && step.produced <= room && step.produced <= step.consumed);
        CHECK(step.consumed > 0 || decoder.failed() || decoder.done());
        decoded.body.append(out.data(), step.produced);
        decoded.consumed += step.consumed;
    }
    decoded.done = decoder.done();
    decoded.failed = decoder.failed();
    CHECK(!(decoded.done && decoded.failed));
    return decoded;
}

}  // namespace

std::vector<std::string> Seeds() {
    return {"5\r\nhello\r\n0\r\n\r\n", "3;a=b\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\nnext", "0\r\n\r\n",
            "000001\r\nx\r\n0\r\n\r\n"};
}

std::vector<std::string> Words() {
    return {"\r\n", "\n", "0\r\n\r\n", ";", "ffffffffffffffff", "X: y\r\n", "-1", " "};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    std::string_view input = fuzz::AsText(data, size);
    fuzz::Decoded whole = fuzz::Decode(input, input.size(), 4096);
    for (std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{64}}) {
        fuzz::Decoded parts = fuzz::Decode(input, piece, piece);
        CHECK(parts.done == whole.done && parts.failed == whole.failed);
        CHECK(parts.body == whole.body);
        CHECK(!whole.done || parts.consumed == whole.consumed);
    }
    return 0;
}
