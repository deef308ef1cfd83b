#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace espalier {
namespace {

TEST(ThreadPool, RunsEverythingThatWasAcceptedBeforeItEnds) {
    std::atomic<int> num_run = 0;
    {
        ThreadPool pool({.num_threads = 3, .queued_tasks_max = 1000});
        for (int i = 0; i < 1000; ++i) ASSERT_TRUE(pool.TrySubmit([&] { ++num_run; }));
    }
    EXPECT_EQ(num_run, 1000);
}

TEST(ThreadPool, RefusesTheTaskThatIsOneTooMany) {
    std::atomic<int> num_run = 0;
    std::latch started(1);
    std::latch release(1);
    {
        ThreadPool pool({.num_threads = 1, .queued_tasks_max = 2});
        ASSERT_TRUE(pool.TrySubmit([&] {
            started.count_down();
            release.wait();
        }));
        started.wait();
        EXPECT_TRUE(pool.TrySubmit([&] { ++num_run; }));
        EXPECT_TRUE(pool.TrySubmit([&] { ++num_run; }));
        EXPECT_FALSE(pool.TrySubmit([&] { num_run += 100; }));
        release.count_down();
    }
    EXPECT_EQ(num_run, 2);
}

TEST(ThreadPool, RefusesTasksOnceStopped) {
    ThreadPool pool({.num_threads = 2, .queued_tasks_max = 10});
    pool.Stop();
    EXPECT_FALSE(pool.TrySubmit([] {}));
    pool.Stop();
}

}  // namespace
}  // namespace espalier
