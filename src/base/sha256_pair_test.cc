#include "base/sha256_pair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/encoding.h"

namespace espalier {
namespace {

std::string RandomBytes(std::size_t size, std::mt19937_64& random) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
}

void ExpectSame(std::string_view a, std::string_view b) {
    const auto [of_a, of_b] = Sha256OfBoth(a, b);
    EXPECT_EQ(HexEncode(of_a), HexEncode(Sha256::Of(a))) << a.size() << " beside " << b.size();
    EXPECT_EQ(HexEncode(of_b), HexEncode(Sha256::Of(b))) << b.size() << " beside " << a.size();
}

TEST(Sha256Pair, KnownValues) {
    const auto [of_empty, of_abc] = Sha256OfBoth("", "abc");
    EXPECT_EQ(HexEncode(of_empty), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(HexEncode(of_abc), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// Every length around the ends of blocks, where the padding takes one block or two, beside every other.
TEST(Sha256Pair, AnyTwoLengthsAreHashedAsAlone) {
    std::mt19937_64 random(1);
    const std::string text = RandomBytes(400, random);
    for (std::size_t a = 0; a <= 200; ++a)
        for (std::size_t b : {0U, 1U, 55U, 56U, 63U, 64U, 119U, 120U, 128U, 199U})
            ExpectSame(std::string_view(text).substr(0, a), std::string_view(text).substr(200, b));
}

TEST(Sha256Pair, LongTextsAtAnyAddress) {
    std::mt19937_64 random(2);
    for (int i = 0; i < 50; ++i) {
        const std::string a = RandomBytes(random() % 20'000, random);
        const std::string b = RandomBytes(random() % 20'000, random);
        const std::size_t skip = random() % 16;
        ExpectSame(std::string_view(a).substr(std::min(a.size(), skip)), b);
        ExpectSame(a, a);
    }
}

}  // namespace
}  // namespace espalier
