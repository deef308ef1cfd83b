#include "jobs/channels.h"

#include <fmt/format.h>

#include "jobs/jobs_fixture.h"

namespace espalier::jobs {
namespace {

using Words = std::vector<std::string>;

class ChannelsTest : public JobsTest {
  protected:
    Result<ChannelPlan> Plan(const std::string& prefix, int num_instances, bool sharded) {
        ChannelSpec channel;
        channel.name = "train";
        channel.location = {.bucket = "data", .key = prefix};
        channel.sharded = sharded;
        return PlanChannel(*store_, channel, num_instances);
    }
    static Words Keys(const std::vector<ChannelFile>& files) {
        Words keys;
        for (const ChannelFile& file : files) keys.push_back(file.key);
        return keys;
    }
};

TEST_F(ChannelsTest, APrefixIsAStringNotAFolder) {
    PutObject("p/train2/x", "1");
    const auto plan = Plan("p/train", 1, false);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->at(0).size(), 6u);
    EXPECT_EQ(plan->at(0).back().path, "train2/x");
    EXPECT_EQ(Plan("p/train/", 1, false)->at(0).size(), 5u);
    EXPECT_EQ(Plan("p/train/examples3", 1, false)->at(0).at(0).path, "examples3");
}

TEST_F(ChannelsTest, FewerFilesThanInstancesLeaveSomeWithout) {
    const auto plan = Plan("p/validation/", 3, true);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->at(0).size(), 1u);
    EXPECT_TRUE(plan->at(1).empty());
    EXPECT_TRUE(plan->at(2).empty());
    const auto replicated = Plan("p/train/", 3, false);
    for (const auto& files : *replicated) EXPECT_EQ(files.size(), 5u);
}

TEST_F(ChannelsTest, KeysAreDealtInByteOrderAcrossPages) {
    for (int i = 0; i < 1200; ++i) PutObject(fmt::format("many/{:04}", i), "1");
    const auto plan = Plan("many/", 2, true);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->at(0).size(), 600u);
    EXPECT_EQ(plan->at(0)[500].key, "many/1000");
    EXPECT_EQ(plan->at(1)[500].key, "many/1001");
}

TEST_F(ChannelsTest, NothingButFolderMarkersIsNoData) {
    PutObject("empty/", "");
    PutObject("empty/sub/", "");
    EXPECT_EQ(Plan("empty/", 1, false).error().code(), ErrorCode::kNotFound);
    EXPECT_FALSE(*HasObjects(*store_, {.bucket = "data", .key = "empty/"}));
    EXPECT_FALSE(*HasObjects(*store_, {.bucket = "no-such-bucket", .key = ""}));
    EXPECT_TRUE(*HasObjects(*store_, {.bucket = "data", .key = ""}));
}

TEST_F(ChannelsTest, KeysThatAreNoFileNamesAreRewritten) {
    EXPECT_EQ(ChannelFilePath("p/../../etc/passwd", "p"), "%2E%2E/%2E%2E/etc/passwd");
    EXPECT_EQ(ChannelFilePath("p//a///b/./c", "p"), "a/b/%2E/c");
    EXPECT_EQ(ChannelFilePath("/etc/passwd", ""), "etc/passwd");
    EXPECT_EQ(ChannelFilePath("//", ""), "%2F");
    const std::string long_name = ChannelFilePath(std::string(300, 'x'), "");
    EXPECT_EQ(long_name.size(), 255u);
    EXPECT_NE(long_name, ChannelFilePath(std::string(301, 'x'), ""));
}

TEST_F(ChannelsTest, KeysThatWantTheSameFileAreRefused) {
    PutObject("clash/a", "1");
    PutObject("clash/a/b", "1");
    const auto file_and_folder = Plan("clash/", 1, false);
    ASSERT_FALSE(file_and_folder);
    EXPECT_NE(file_and_folder.error().message().find("'clash/a' and 'clash/a/b'"), std::string::npos);
    EXPECT_TRUE(Plan("clash/", 2, true)) << "on different instances they do not meet";
    PutObject("twice/a", "1");
    PutObject("twice//a", "1");
    EXPECT_FALSE(Plan("twice/", 1, false));
}

TEST_F(ChannelsTest, DownloadedFilesAreTheObjectsAndGzipIsChecked) {
    ChannelSpec channel;
    channel.name = "train";
    channel.location = {.bucket = "data", .key = "p/train/"};
    const auto plan = PlanChannel(*store_, channel, 1);
    ASSERT_TRUE(plan);
    const WorkFolder folder(folder_ + "/work", 7);
    std::filesystem::create_directories(folder_ + "/work");
    JobSpec spec;
    spec.channels = {channel};
    ASSERT_TRUE(folder.MakeEmpty(spec));
    const auto never = [] { return false; };
    ASSERT_TRUE(DownloadChannel(*store_, channel, *plan, folder, never));
    std::ifstream in(folder.ChannelFolder(1, channel) + "/examples3");
    std::string line;
    std::getline(in, line);
    EXPECT_EQ(line, "1 1:3");

    ASSERT_TRUE(folder.MakeEmpty(spec));
    const auto cancelled = DownloadChannel(*store_, channel, *plan, folder, [] { return true; });
    ASSERT_FALSE(cancelled);
    EXPECT_EQ(cancelled.error().code(), ErrorCode::kCancelled);

    channel.gzip = true;
    const auto plain = DownloadChannel(*store_, channel, *plan, folder, never);
    ASSERT_FALSE(plain);
    EXPECT_NE(plain.error().message().find("s3://data/p/train/examples0 is not gzip"), std::string::npos);
}

}  // namespace
}  // namespace espalier::jobs
