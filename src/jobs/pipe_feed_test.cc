#include "jobs/pipe_feed.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/fs.h"

namespace espalier::jobs {
namespace {

class PipeFeedTest : public ::testing::Test {
  protected:
    PipeFeedTest() {
        path_ = ::mkdtemp((std::filesystem::temp_directory_path() / "espalier-pipe-XXXXXX").string().data());
    }
    ~PipeFeedTest() override { std::filesystem::remove_all(path_); }

    std::string Write(const std::string& name, const std::string& text) {
        const std::string path = path_ + "/" + name;
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }
    PipeFeed::Source SourceOf(std::vector<std::string> files, bool end_lines) {
        return {.pipe_path = path_ + "/train_0", .files = std::move(files), .end_lines = end_lines};
    }
    std::string ReadAll() {
        std::ifstream in(path_ + "/train_0", std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::string path_;
};

TEST_F(PipeFeedTest, GivesTheFilesOneAfterAnother) {
    const std::string long_text(1'000'000, 'x');  // More than a pipe holds.
    const auto files = {Write("a", "1,2"), Write("b", ""), Write("c", "3,4\n"), Write("d", long_text)};
    auto feed = PipeFeed::Create(SourceOf(files, true));
    ASSERT_TRUE(feed) << feed.error().ToString();
    EXPECT_EQ(ReadAll(), "1,2\n3,4\n" + long_text + "\n");
    EXPECT_FALSE((*feed)->broken());
    ::unlink((path_ + "/train_0").c_str());
    auto bare = PipeFeed::Create(SourceOf(files, false));
    ASSERT_TRUE(bare);
    EXPECT_EQ(ReadAll(), "1,23,4\n" + long_text);
}

TEST_F(PipeFeedTest, AnObjectThatCannotBeReadIsTold) {
    auto feed = PipeFeed::Create(SourceOf({Write("a", "1,2\n"), path_ + "/gone"}, true));
    ASSERT_TRUE(feed);
    EXPECT_EQ(ReadAll(), "1,2\n");
    EXPECT_TRUE((*feed)->broken());
}

TEST_F(PipeFeedTest, EndsWithoutAReaderAndWithOneThatLeaves) {
    { ASSERT_TRUE(PipeFeed::Create(SourceOf({Write("a", "1")}, true))); }  // Nobody ever reads.
    ::unlink((path_ + "/train_0").c_str());
    auto feed = PipeFeed::Create(SourceOf({Write("b", std::string(1'000'000, 'x'))}, true));
    ASSERT_TRUE(feed);
    {
        const Fd reader(::open((path_ + "/train_0").c_str(), O_RDONLY | O_CLOEXEC));
        char byte = 0;
        EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
    }
    EXPECT_FALSE((*feed)->broken());  // The reader had enough; that is no fault of the data.
}

}  // namespace
}  // namespace espalier::jobs
