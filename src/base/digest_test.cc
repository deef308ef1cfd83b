#include "base/digest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/encoding.h"

namespace espalier {
namespace {

TEST(Digest, KnownValues) {
    EXPECT_EQ(HexEncode(Md5::Of("")), "d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(HexEncode(Md5::Of("abc")), "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(HexEncode(Sha1::Of("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(HexEncode(Sha256::Of("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(HexEncode(Sha256::Of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, AnyCutGivesTheSameValueAndTheObjectIsReusable) {
    const std::string text(1000, 'x');
    Sha256 sha;
    for (std::size_t cut = 0; cut <= text.size(); cut += 37) {
        sha.Update(std::string_view(text).substr(0, cut));
        sha.Update(std::string_view(text).substr(cut));
        EXPECT_EQ(sha.Finish(), Sha256::Of(text)) << cut;
    }
}

// Contexts are used again by the thread: what an object left in one must not show in the next, however many live at
// once.
TEST(Digest, AnAbandonedObjectLeavesNothingBehind) {
    const Sha256::Value expected = Sha256::Of("abc");
    for (std::size_t num_alive = 1; num_alive < 12; ++num_alive) {
        std::vector<Sha256> abandoned(num_alive);
        for (Sha256& each : abandoned) each.Update("half a message");
        abandoned.clear();
        std::vector<Sha256> fresh(num_alive);
        for (Sha256& each : fresh) each.Update("abc");
        for (Sha256& each : fresh) EXPECT_EQ(each.Finish(), expected) << num_alive;
    }
}

// RFC 4231 cases 1, 2 and 6 (a key longer than the block), RFC 2202 case 2.
TEST(Digest, HmacOfTheRfcVectors) {
    EXPECT_EQ(HexEncode(HmacSha256(std::string(20, '\x0b'), "Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(HexEncode(HmacSha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(HexEncode(HmacSha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_EQ(HexEncode(HmacSha1("Jefe", "what do ya want for nothing?")), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

TEST(Digest, ConstantTimeComparisonIsAComparison) {
    EXPECT_TRUE(EqualsConstantTime("", ""));
    EXPECT_TRUE(EqualsConstantTime("abc", "abc"));
    EXPECT_FALSE(EqualsConstantTime("abc", "abd"));
    EXPECT_FALSE(EqualsConstantTime("abc", "ab"));
}

}  // namespace
}  // namespace espalier
