#include "hosting/variant_line.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <thread>
#include <vector>

namespace espalier::hosting {
namespace {

using Entry = VariantLine::Entry;
using Kind = VariantLine::Kind;

TEST(VariantLine, OneRunsTheNextWaitAndTheRestIsRefused) {
    ThreadPool pool({.num_threads = 2, .queued_tasks_max = 100});
    auto line = std::make_shared<VariantLine>(pool);
    line->SetBounds({.running_max = 1, .waiting_max = 2});
    std::vector<int> order;
    std::promise<void> both;
    const auto enter = [&](int number) {
        return line->Enter(Kind::kAttended, [&, number] {
            return [&, number] {
                order.push_back(number);
                line->Leave(std::chrono::microseconds(1));
                if (number == 2) both.set_value();
            };
        });
    };
    EXPECT_EQ(enter(0), Entry::kRun);
    EXPECT_EQ(enter(1), Entry::kQueued);
    EXPECT_EQ(enter(2), Entry::kQueued);
    EXPECT_EQ(enter(3), Entry::kFull);
    EXPECT_TRUE(order.empty()) << "one at a time";
    line->Leave(std::chrono::microseconds(100));
    both.get_future().wait();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(VariantLine, WhatIsAnsweredFastRunsWhereItWasReadWhileItsInstancesAllow) {
    ThreadPool pool({.num_threads = 1, .queued_tasks_max = 100});
    auto line = std::make_shared<VariantLine>(pool);
    line->SetBounds({.running_max = 2, .waiting_max = 0});
    const auto make = [] { return [] { FAIL() << "nobody waits"; }; };
    EXPECT_EQ(line->Enter(Kind::kAttended, make), Entry::kRun);
    EXPECT_EQ(line->Enter(Kind::kAttended, make), Entry::kRun);
    EXPECT_EQ(line->Enter(Kind::kAttended, make), Entry::kFull);
    line->Leave(std::chrono::microseconds(1));
    EXPECT_EQ(line->Enter(Kind::kAttended, make), Entry::kRun);
}

TEST(VariantLine, WhatTookLongIsNotRunWhereItWasReadHoweverSmall) {
    ThreadPool pool({.num_threads = 1, .queued_tasks_max = 100});
    auto line = std::make_shared<VariantLine>(pool);
    line->SetBounds({.running_max = 1, .waiting_max = 1});
    const auto never = [] { return [] { FAIL() << "it runs at once"; }; };
    ASSERT_EQ(line->Enter(Kind::kAttended, never), Entry::kRun);
    line->Leave(std::chrono::milliseconds(20));
    int num_queued = 0;
    for (;;) {
        std::promise<void> left;
        const auto make = [&] {
            return [&] {
                line->Leave(std::chrono::microseconds(10));
                left.set_value();
            };
        };
        if (line->Enter(Kind::kAttended, make) == Entry::kRun) break;
        left.get_future().wait();
        ASSERT_LT(++num_queued, 1000) << "fast answers are run at once again";
    }
    EXPECT_GT(num_queued, 0);
}

TEST(VariantLine, MoreInstancesAreMoreAtATime) {
    ThreadPool pool({.num_threads = 4, .queued_tasks_max = 100});
    auto line = std::make_shared<VariantLine>(pool);
    line->SetBounds({.running_max = 1, .waiting_max = 0});
    std::promise<void> end;
    std::shared_future<void> ended = end.get_future().share();
    std::latch running(2);
    const auto make = [&] {
        return [&, ended] {
            running.count_down();
            ended.wait();
            line->Leave(std::chrono::microseconds(1));
        };
    };
    EXPECT_EQ(line->Enter(Kind::kAttended, make), Entry::kRun);
    EXPECT_EQ(line->Enter(Kind::kAttended, make), Entry::kFull);
    line->SetBounds({.running_max = 3, .waiting_max = 0});
    EXPECT_EQ(line->Enter(Kind::kUnattended, make), Entry::kQueued);
    EXPECT_EQ(line->Enter(Kind::kUnattended, make), Entry::kQueued);
    EXPECT_EQ(line->Enter(Kind::kUnattended, make), Entry::kFull);
    running.wait();  // both run beside the first
    end.set_value();
    line->Leave(std::chrono::microseconds(1));
    pool.Stop();
    EXPECT_EQ(line->Enter(Kind::kAttended, make), Entry::kRun) << "all have left";
}

TEST(VariantLine, NothingIsLostUnderLoad) {
    ThreadPool pool({.num_threads = 2, .queued_tasks_max = 1000});
    auto line = std::make_shared<VariantLine>(pool);
    line->SetBounds({.running_max = 2, .waiting_max = 10});
    std::atomic<int> done{0};
    std::atomic<int> refused{0};
    std::atomic<int> at_once{0};
    std::atomic<int> most{0};
    const auto work = [&] {
        const int now = ++at_once;
        int seen = most.load();
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        --at_once;
        ++done;
        line->Leave(std::chrono::microseconds(1));
    };
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) {
                switch (line->Enter(i % 2 == 0 ? Kind::kAttended : Kind::kUnattended, [&] { return work; })) {
                    case Entry::kRun:
                        work();
                        break;
                    case Entry::kQueued:
                        break;
                    case Entry::kFull:
                        ++refused;
                        break;
                }
            }
        });
    threads.clear();
    // A pool that is stopped takes nothing more from the line, so the line must be empty first.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (done + refused < 8000 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(done + refused, 8000);
    pool.Stop();
    EXPECT_LE(most, 2);
}

TEST(VariantLine, WhatWasLetInBeforeGoesOnHoweverLongTheLine) {
    ThreadPool pool({.num_threads = 1, .queued_tasks_max = 100});
    auto line = std::make_shared<VariantLine>(pool);
    line->SetBounds({.running_max = 1, .waiting_max = 0});
    ASSERT_EQ(line->Enter(Kind::kAttended, [] { return [] {}; }), Entry::kRun);
    EXPECT_EQ(line->Enter(Kind::kAttended, [] { return [] {}; }), Entry::kFull);
    std::promise<void> gone_on;
    EXPECT_EQ(line->Enter(Kind::kContinued,
                          [&] {
                              return [&] {
                                  line->Leave(std::chrono::microseconds(1));
                                  gone_on.set_value();
                              };
                          }),
              Entry::kQueued);
    line->Leave(std::chrono::microseconds(1));
    gone_on.get_future().wait();
    EXPECT_EQ(line->Enter(Kind::kAttended, [] { return [] {}; }), Entry::kRun);
}

}  // namespace
}  // namespace espalier::hosting
