#include "base/peak_memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace espalier {
namespace {

TEST(PeakMemory, RisesWithWhatIsTouchedAndStays) {
    const std::uint64_t before = PeakMemoryBytes();
    EXPECT_GT(before, 100'000U);
    constexpr std::size_t kBytes = std::size_t{64} << 20;
    {
        const std::vector<char> touched(kBytes, 1);
        EXPECT_EQ(touched.back(), 1);
    }
    EXPECT_GE(PeakMemoryBytes(), before + kBytes / 2);
}

}  // namespace
}  // namespace espalier
