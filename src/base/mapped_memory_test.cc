#include "base/mapped_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/scratch_file.h"

namespace espalier {
namespace {

namespace fs = std::filesystem;

class MappedMemoryTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = (fs::temp_directory_path() / "espalier-map-XXXXXX").string();
        ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    }
    void TearDown() override { fs::remove_all(folder_); }

    std::string folder_;
};

TEST_F(MappedMemoryTest, AFileIsItsBytes) {
    std::ofstream(folder_ + "/a") << "abc";
    std::ofstream(folder_ + "/empty");
    const auto mapped = MappedMemory::OfFile(folder_ + "/a");
    ASSERT_TRUE(mapped.has_value());
    ASSERT_EQ((*mapped)->bytes().size(), 3U);
    EXPECT_EQ((*mapped)->bytes()[1], std::byte{'b'});
    EXPECT_TRUE((*MappedMemory::OfFile(folder_ + "/empty"))->bytes().empty());
    EXPECT_EQ(MappedMemory::OfFile(folder_ + "/none").error().code(), ErrorCode::kNotFound);
}

TEST_F(MappedMemoryTest, ScratchMemoryIsZeroWritableAndLeavesNoName) {
    const auto scratch = MappedMemory::Scratch(folder_, 10'000);
    ASSERT_TRUE(scratch.has_value());
    const auto bytes = (*scratch)->writable_bytes();
    EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; }));
    bytes[9'999] = std::byte{7};
    EXPECT_EQ((*scratch)->bytes()[9'999], std::byte{7});
    EXPECT_TRUE(fs::is_empty(folder_));
    EXPECT_FALSE(MappedMemory::Scratch(folder_ + "/none", 1).has_value());
    EXPECT_FALSE(MappedMemory::Scratch(folder_, std::size_t{1} << 55).has_value());  // more than any disk has
}

TEST_F(MappedMemoryTest, AScratchFileGivesBackWhatWasAppended) {
    const auto file = ScratchFile::Create(folder_);
    ASSERT_TRUE(file.has_value());
    EXPECT_TRUE(fs::is_empty(folder_));
    const std::string text = "some bytes";
    EXPECT_EQ(*(*file)->Append(std::as_bytes(std::span(text))), 0U);
    EXPECT_EQ(*(*file)->Append(std::as_bytes(std::span(text))), text.size());
    std::string back(4, ' ');
    (*file)->ReadAt(std::as_writable_bytes(std::span(back)), text.size() + 5);
    EXPECT_EQ(back, "byte");
    EXPECT_FALSE(ScratchFile::Create(folder_ + "/none").has_value());
}

}  // namespace
}  // namespace espalier
