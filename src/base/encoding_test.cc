#include "base/encoding.h"

#include <gtest/gtest.h>

namespace espalier {
namespace {

std::string AllBytes() {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
}

TEST(Encoding, HexBothWays) {
    EXPECT_EQ(HexEncode(std::string_view("\x00\xff\x1a", 3)), "00ff1a");
    EXPECT_EQ(HexDecode("00FF1a"), std::string("\x00\xff\x1a", 3));
    EXPECT_EQ(HexDecode(HexEncode(AllBytes())), AllBytes());
    EXPECT_EQ(HexDecode("0"), std::nullopt);
    EXPECT_EQ(HexDecode("0g"), std::nullopt);
}

TEST(Encoding, Base64OfTheRfcVectors) {
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (auto [plain, text] : vectors) {
        EXPECT_EQ(Base64Encode(std::string_view(plain)), text);
        EXPECT_EQ(Base64Decode(text), std::string(plain));
    }
    EXPECT_EQ(Base64Decode(Base64Encode(AllBytes())), AllBytes());
}

TEST(Encoding, Base64RefusesWhatItDoesNotWrite) {
    for (const char* text : {"Zg", "Zg=", "Zg===", "=", "====", "Zh==", "Zm9=", "Zm9v\n", "Zm 9",
                             "Zm9v====", "Z===", "Zg==Zg==", "Zm-_"}) {
        EXPECT_EQ(Base64Decode(text), std::nullopt) << text;
    }
}

TEST(Encoding, PercentEncodesAllButUnreserved) {
    EXPECT_EQ(PercentEncode("a b+c/d~e%\xc3\xa9", Slash::kKeep), "a%20b%2Bc/d~e%25%C3%A9");
    EXPECT_EQ(PercentEncode("a/b", Slash::kEncode), "a%2Fb");
    EXPECT_EQ(PercentDecode(PercentEncode(AllBytes(), Slash::kEncode)), AllBytes());
}

TEST(Encoding, PercentDecodeKeepsPlusAndRefusesBrokenEscapes) {
    EXPECT_EQ(PercentDecode("a+b%2b%2B"), "a+b++");
    EXPECT_EQ(FormDecode("a+b%2b"), "a b+");
    for (const char* text : {"%", "%2", "a%", "%zz", "%2g"}) EXPECT_EQ(PercentDecode(text), std::nullopt) << text;
}

}  // namespace
}  // namespace espalier
