#include "base/crc.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace espalier {
namespace {

std::string RandomBytes(std::size_t size, std::uint32_t seed) {
    std::mt19937 rng(seed);
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng());
    return bytes;
}

TEST(CrcTest, GivesThePublishedCheckValues) {
    EXPECT_EQ(Crc32::Of("123456789"), 0xCBF43926u);
    EXPECT_EQ(Crc32c::Of("123456789"), 0xE3069283u);
    EXPECT_EQ(Crc64Nvme::Of("123456789"), 0xAE8B14860A799888u);
    EXPECT_EQ(Crc32::Of(""), 0u);
    // RFC 3720, B.4: 32 bytes of zeros and of ones.
    EXPECT_EQ(Crc32c::Of(std::string(32, '\0')), 0x8A9136AAu);
    EXPECT_EQ(Crc32c::Of(std::string(32, '\xff')), 0x62A8AB43u);
    // NVM Express base specification 2.0, CRC-64 test cases: 4 KiB of zeros and of ones.
    EXPECT_EQ(Crc64Nvme::Of(std::string(4096, '\0')), 0x6482D367EB22B64Eu);
    EXPECT_EQ(Crc64Nvme::Of(std::string(4096, '\xff')), 0xC0DDBA7302ECA3ACu);
}

template <typename Type, typename Word>
void FastEqualsTables() {
    const std::string bytes = RandomBytes(5000, 7);
    for (std::size_t offset : {0, 1, 3, 15}) {
        for (std::size_t size = 0; size < 400; ++size) {
            const std::string_view part = std::string_view(bytes).substr(offset, size);
            EXPECT_EQ(Type::Of(part), static_cast<Word>(~Type::ExtendPortable(static_cast<Word>(~Word{0}), part)))
                << "size " << size << " offset " << offset;
        }
    }
    // In pieces of any length the value is that of the whole.
    std::mt19937 rng(11);
    for (int round = 0; round < 50; ++round) {
        Type crc;
        for (std::size_t at = 0; at < bytes.size();) {
            const std::size_t size = rng() % 300;
            crc.Update(std::string_view(bytes).substr(at, size));
            at += size;
        }
        EXPECT_EQ(crc.value(), Type::Of(bytes));
    }
}

TEST(CrcTest, FastCodeEqualsTables) {
    FastEqualsTables<Crc32, std::uint32_t>();
    FastEqualsTables<Crc32c, std::uint32_t>();
    FastEqualsTables<Crc64Nvme, std::uint64_t>();
}

TEST(CrcTest, CombineEqualsTheWhole) {
    const std::string bytes = RandomBytes(3000, 3);
    for (std::size_t cut : {0, 1, 64, 1000, 2999, 3000}) {
        const std::string a = bytes.substr(0, cut);
        const std::string b = bytes.substr(cut);
        EXPECT_EQ(Crc32::Combine(Crc32::Of(a), Crc32::Of(b), b.size()), Crc32::Of(bytes));
        EXPECT_EQ(Crc32c::Combine(Crc32c::Of(a), Crc32c::Of(b), b.size()), Crc32c::Of(bytes));
        EXPECT_EQ(Crc64Nvme::Combine(Crc64Nvme::Of(a), Crc64Nvme::Of(b), b.size()), Crc64Nvme::Of(bytes));
    }
}

TEST(CrcTest, BigEndian) {
    EXPECT_EQ(AsBigEndian(std::uint32_t{0x01020304}), std::string("\x01\x02\x03\x04"));
    EXPECT_EQ(AsBigEndian(std::uint64_t{0x0102030405060708}), std::string("\x01\x02\x03\x04\x05\x06\x07\x08"));
}

}  // namespace
}  // namespace espalier
