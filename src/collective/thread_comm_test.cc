#include "collective/thread_comm.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "collective/self_comm.h"

namespace espalier::collective {
namespace {

template <typename Body>
void OnEachRank(int size, Body body) {
    auto group = ThreadComm::CreateGroup({.size = size});
    std::vector<std::jthread> threads;
    for (auto& comm : group) threads.emplace_back([&body, &comm] { body(*comm); });
}

TEST(ThreadComm, ReducesGathersAndBroadcasts) {
    OnEachRank(3, [](ThreadComm& comm) {
        for (int round = 0; round < 200; ++round) {
            std::vector<std::int64_t> values = {comm.rank(), 10 * comm.rank() + round, -5};
            ASSERT_TRUE(comm.AllReduceSum(values).has_value());
            EXPECT_EQ(values, (std::vector<std::int64_t>{3, 30 + 3 * round, -15}));
            std::vector<double> highest = {comm.rank() * 0.5, -1.0 - comm.rank()};
            ASSERT_TRUE(comm.AllReduceMax(std::span<double>(highest)).has_value());
            EXPECT_EQ(highest, (std::vector<double>{1.0, -1.0}));
            std::vector<std::byte> mine(static_cast<std::size_t>(comm.rank()), std::byte(comm.rank()));
            auto all = comm.AllGatherV(mine);
            ASSERT_TRUE(all.has_value());
            for (std::size_t rank = 0; rank < 3; ++rank) EXPECT_EQ((*all)[rank].size(), rank);
            EXPECT_EQ((*all)[2][1], std::byte{2});
            std::vector<std::byte> shared(4, std::byte(comm.rank() == 1 ? 7 : 0));
            ASSERT_TRUE(comm.Broadcast(shared, 1).has_value());
            EXPECT_EQ(shared[3], std::byte{7});
        }
    });
}

TEST(ThreadComm, AnExchangeGivesEachRankItsSegmentOfAll) {
    OnEachRank(2, [](ThreadComm& comm) {
        std::vector<std::int64_t> values(5);
        const std::vector<std::size_t> counts = {3, 2};
        for (int round = 0; round < 200; ++round) {
            std::iota(values.begin(), values.end(), 100 * comm.rank() + round);
            const auto segments = comm.ExchangeSegments(values, counts);
            ASSERT_TRUE(segments.has_value());
            for (int rank = 0; rank < 2; ++rank) {
                std::vector<std::int64_t> expected(counts[static_cast<std::size_t>(comm.rank())]);
                std::iota(expected.begin(), expected.end(), 100 * rank + round + 3 * comm.rank());
                const auto segment = (*segments)[static_cast<std::size_t>(rank)];
                EXPECT_EQ(std::vector(segment.begin(), segment.end()), expected);
            }
            ASSERT_TRUE(comm.Barrier().has_value());  // The others have read.
        }
        EXPECT_EQ(comm.bytes_sent(), 200 * 20U);
    });
}

TEST(ThreadComm, ARankThatLeavesWakesTheOthers) {
    auto group = ThreadComm::CreateGroup({.size = 2});
    std::jthread leaver([&] { group[1].reset(); });
    std::vector<std::int64_t> values(1);
    const auto result = group[0]->AllReduceSum(values);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
}

TEST(ThreadComm, AWaitEndsAtTheDeadline) {
    auto group = ThreadComm::CreateGroup({.size = 2, .deadline = std::chrono::milliseconds(20)});
    const auto result = group[0]->Barrier();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
    EXPECT_FALSE(group[1]->Barrier().has_value());
}

TEST(SelfComm, KeepsWhatItIsGiven) {
    SelfComm comm;
    std::vector<std::int64_t> values = {4, 5};
    ASSERT_TRUE(comm.AllReduceSum(values).has_value());
    EXPECT_EQ(values, (std::vector<std::int64_t>{4, 5}));
    EXPECT_EQ(comm.bytes_sent(), 0U);
}

}  // namespace
}  // namespace espalier::collective
