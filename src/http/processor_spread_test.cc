#include "http/processor_spread.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

namespace espalier::http {
namespace {

cpu_set_t AllowedNow() {
    cpu_set_t allowed;
    EXPECT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
    return allowed;
}

TEST(ProcessorSpread, LoopsMeetOnOneProcessorWhileBothWork) {
    ProcessorSpread spread(3);
    EXPECT_FALSE(spread.Meets(0, 5));
    EXPECT_FALSE(spread.Meets(0, 5)) << "one that goes on does not meet itself";
    EXPECT_FALSE(spread.Meets(1, 6)) << "another processor";
    EXPECT_TRUE(spread.Meets(2, 5));
    spread.End(0);
    EXPECT_FALSE(spread.Meets(2, 5));
}

TEST(ProcessorSpread, WhoIsMovedIsNoLongerWhereItWas) {
    ProcessorSpread spread(2);
    EXPECT_FALSE(spread.Meets(0, 5));
    EXPECT_FALSE(spread.Meets(0, 6));
    EXPECT_FALSE(spread.Meets(1, 5));
    EXPECT_TRUE(spread.Meets(1, 6));
    spread.End(1);
    EXPECT_TRUE(spread.Meets(1, 6)) << "the end of one is not the end of the other";
}

TEST(ProcessorSpread, ALoopKeepsOffUntilItIsReleased) {
    const cpu_set_t before = AllowedNow();
    // A loop is at work on each processor, so that the last one meets one of them wherever this thread runs.
    ProcessorSpread spread(CPU_SETSIZE + 1);
    for (std::size_t processor = 0; processor < CPU_SETSIZE; ++processor) spread.Meets(processor, processor);
    spread.Begin(CPU_SETSIZE);
    const cpu_set_t others = AllowedNow();
    const int left = std::max(CPU_COUNT(&before) - 1, 1);
    EXPECT_EQ(CPU_COUNT(&others), left) << "with one processor there is nowhere to go";
    const auto after_meeting = std::chrono::steady_clock::now();
    spread.Release(CPU_SETSIZE, after_meeting + ProcessorSpread::kKeptOff / 2);
    const cpu_set_t still = AllowedNow();
    EXPECT_TRUE(CPU_EQUAL(&still, &others)) << "too early";
    spread.Release(CPU_SETSIZE, after_meeting + ProcessorSpread::kKeptOff);
    const cpu_set_t after = AllowedNow();
    EXPECT_TRUE(CPU_EQUAL(&after, &before));
}

TEST(ProcessorSpread, NobodyIsLeftWithoutAProcessor) {
    const cpu_set_t before = AllowedNow();
    ProcessorSpread spread(CPU_SETSIZE + 1);
    for (std::size_t processor = 0; processor < CPU_SETSIZE; ++processor) spread.Meets(processor, processor);
    for (int i = 0; i < CPU_COUNT(&before) + 1; ++i) spread.Begin(CPU_SETSIZE);
    const cpu_set_t left = AllowedNow();
    EXPECT_EQ(CPU_COUNT(&left), 1);
    spread.Release(CPU_SETSIZE, std::chrono::steady_clock::now() + ProcessorSpread::kKeptOff);
    const cpu_set_t after = AllowedNow();
    EXPECT_TRUE(CPU_EQUAL(&after, &before));
}

}  // namespace
}  // namespace espalier::http
