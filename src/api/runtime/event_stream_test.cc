#include "api/runtime/event_stream.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace espalier::api::runtime {
namespace {

/// What botocore's reader takes for a PayloadPart of these bytes.
TEST(EventStreamTest, APartIsTheBytesOfThePublishedForm) {
    std::string out;
    AppendPayloadParts(out, "1.5\n");
    EXPECT_EQ(HexEncode(out),
              "0000006d00000059163785c50b3a6576656e742d7479706507000b5061796c6f6164506172740d3a636f6e74656e742d74797065"
              "0700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d6573736167652d747970650700056576656e74312e35"
              "0a7eebc547");
}

TEST(EventStreamTest, LargePayloadsAreCut) {
    std::string out;
    AppendPayloadParts(out, "");
    EXPECT_EQ(out, "");
    AppendPayloadParts(out, std::string(2 * kEventPayloadBytesMax + 1, 'p'));
    constexpr std::size_t kFrameBytes = 0x6d - 4;
    EXPECT_EQ(out.size(), 2 * kEventPayloadBytesMax + 1 + 3 * kFrameBytes);
}

TEST(EventStreamTest, AnExceptionFollowsTheParts) {
    std::string out = "before";
    AppendException(out, "ModelStreamError", "{}");
    EXPECT_NE(out.find("\x0f:exception-type\x07"), std::string::npos);
    EXPECT_NE(out.find("ModelStreamError\x0d:content-type\x07"), std::string::npos);
    EXPECT_EQ(out.substr(0, 6), "before");
    std::string alone;
    AppendException(alone, "ModelStreamError", "{}");
    EXPECT_EQ(out.substr(6), alone) << "checksums begin with the message";
}

}  // namespace
}  // namespace espalier::api::runtime
