#include "base/protobuf.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace espalier {
namespace {

TEST(ProtobufTest, ReadsWhatWasWritten) {
    std::string message;
    AppendVarintField(message, 1, 150);
    AppendBytesField(message, 2, "testing");
    AppendVarintField(message, 536870911, std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(message.substr(0, 3), "\x08\x96\x01");  // The example of protobuf's documentation.
    ProtobufCursor cursor(message);
    ProtobufField field;
    ASSERT_TRUE(cursor.Next(field));
    EXPECT_EQ(field.number, 1U);
    EXPECT_EQ(field.value, 150U);
    ASSERT_TRUE(cursor.Next(field));
    EXPECT_EQ(field.type, WireType::kBytes);
    EXPECT_EQ(field.bytes, "testing");
    ASSERT_TRUE(cursor.Next(field));
    EXPECT_EQ(field.number, 536870911U);
    EXPECT_EQ(field.value, std::numeric_limits<std::uint64_t>::max());
    EXPECT_FALSE(cursor.Next(field));
    EXPECT_FALSE(cursor.broken());
    EXPECT_EQ(cursor.offset(), message.size());
}

TEST(ProtobufTest, ReadsFixedNumbersAndPackedLists) {
    const std::string message("\x0d\x00\x00\x80\x3f\x11\x01\x00\x00\x00\x00\x00\x00\x00\x1a\x03\x01\xac\x02", 19);
    ProtobufCursor cursor(message);
    ProtobufField field;
    ASSERT_TRUE(cursor.Next(field));
    EXPECT_EQ(field.type, WireType::kFixed32);
    EXPECT_EQ(field.value, 0x3F800000U);
    ASSERT_TRUE(cursor.Next(field));
    EXPECT_EQ(field.type, WireType::kFixed64);
    EXPECT_EQ(field.value, 1U);
    ASSERT_TRUE(cursor.Next(field));
    ProtobufCursor list(field.bytes);
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t number = 0; list.NextVarint(number);) numbers.push_back(number);
    EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, 300}));
    EXPECT_FALSE(list.broken());
}

TEST(ProtobufTest, EveryCutAndOverlongPieceIsBroken) {
    std::string message;
    AppendVarintField(message, 1, 300);
    const std::size_t first = message.size();
    AppendBytesField(message, 2, "abc");
    for (std::size_t size = 1; size < message.size(); ++size) {
        ProtobufCursor cursor(std::string_view(message).substr(0, size));
        ProtobufField field;
        while (cursor.Next(field)) {
        }
        EXPECT_EQ(cursor.broken(), size != first) << size;
        EXPECT_FALSE(cursor.Next(field));
    }
    for (const std::string& bad : {std::string("\x0b"), std::string("\x00\x01", 2), std::string("\x07"),
                                   std::string("\x08") + std::string(10, '\xFF') + "\x01",
                                   std::string("\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01")}) {
        ProtobufCursor cursor(bad);
        ProtobufField field;
        EXPECT_FALSE(cursor.Next(field));
        EXPECT_TRUE(cursor.broken());
    }
}

}  // namespace
}  // namespace espalier
