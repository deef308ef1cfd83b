#include "base/worker_team.h"

#include <gtest/gtest.h>

#include <numeric>

namespace espalier {
namespace {

TEST(WorkerTeam, RunsEachTaskOnce) {
    for (const int num_threads : {1, 2, 5}) {
        WorkerTeam team(num_threads);
        for (int loop = 0; loop < 300; ++loop) {
            std::vector<int> ran(static_cast<std::size_t>(loop % 37), 0);
            team.ForEach(ran.size(), [&](std::size_t task, int worker) {
                ASSERT_GE(worker, 0);
                ASSERT_LT(worker, num_threads);
                ++ran[task];
            });
            EXPECT_EQ(std::accumulate(ran.begin(), ran.end(), 0), static_cast<int>(ran.size()));
        }
    }
}

TEST(WorkerTeam, BlocksCoverTheRange) {
    WorkerTeam team(3);
    for (const std::size_t size : {0U, 1U, 63U, 64U, 65U, 1000U}) {
        std::vector<int> covered(size, 0);
        team.ForBlocks(size, 64, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t i = begin; i < end; ++i) ++covered[i];
        });
        EXPECT_EQ(covered, std::vector<int>(size, 1));
    }
}

}  // namespace
}  // namespace espalier
