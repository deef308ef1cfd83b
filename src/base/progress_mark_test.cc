#include "base/progress_mark.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "base/worker_team.h"

namespace espalier {
namespace {

class ProgressMarkTest : public testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/espalier-mark-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        folder_ = pattern;
        path_ = folder_ + "/mark";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string folder_;
    std::string path_;
};

TEST_F(ProgressMarkTest, WhoWatchesSeesWhatTheWorkerShows) {
    EXPECT_FALSE(ProgressMark::LookAt(path_));
    EXPECT_FALSE(ProgressMark::InFile(path_));
    EXPECT_TRUE(ProgressMark::InFile("")) << "nobody watches";
    ASSERT_TRUE(ProgressMark::MakeFile(path_));
    EXPECT_EQ(ProgressMark::LookAt(path_)->pid, 0) << "nobody has found it yet";
    const auto mark = std::move(ProgressMark::InFile(path_)).value();
    mark->StatePatience(std::chrono::seconds(7));
    mark->Move();
    const auto seen = ProgressMark::LookAt(path_);
    EXPECT_EQ(seen->pid, getpid());
    EXPECT_EQ(seen->num_moves, 1u);
    EXPECT_EQ(seen->patience, std::chrono::seconds(7));
    EXPECT_FALSE(seen->waits);
    {
        const ProgressMark::Wait outer(mark.get());
        const ProgressMark::Wait inner(mark.get());
        EXPECT_TRUE(ProgressMark::LookAt(path_)->waits);
    }
    EXPECT_FALSE(ProgressMark::LookAt(path_)->waits);
    EXPECT_EQ(ProgressMark::LookAt(path_)->num_moves, 3u) << "the end of a wait is a move";
}

TEST_F(ProgressMarkTest, EveryTaskOfATeamIsAMove) {
    ASSERT_TRUE(ProgressMark::MakeFile(path_));
    const auto mark = std::move(ProgressMark::InFile(path_)).value();
    for (const int num_threads : {1, 3}) {
        const std::uint64_t before = ProgressMark::LookAt(path_)->num_moves;
        WorkerTeam team(num_threads, mark.get());
        team.ForEach(100, [](std::size_t, int) {});
        EXPECT_EQ(ProgressMark::LookAt(path_)->num_moves, before + 100);
    }
}

}  // namespace
}  // namespace espalier
