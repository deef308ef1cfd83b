#include "hosting/variant_picker.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace espalier::hosting {
namespace {

std::vector<int> Split(const VariantPicker& picker, std::size_t num_variants, int num_requests) {
    TrafficSequence sequence;
    std::vector<int> counts(num_variants);
    for (int i = 0; i < num_requests; ++i) ++counts[picker.Pick(sequence.Next().pick).value()];
    return counts;
}

TEST(VariantPicker, SplitsALongRunExactly) {
    const std::array<double, 3> weights = {3, 0, 1};
    std::vector<int> counts = Split(VariantPicker(weights), 3, 100'000);
    EXPECT_NEAR(counts[0], 75'000, 10);
    EXPECT_EQ(counts[1], 0);
    EXPECT_NEAR(counts[2], 25'000, 10);
}

TEST(VariantPicker, SplitsAShortRunNearly) {
    const std::array<double, 2> weights = {0.9, 0.1};
    for (int requests : {10, 50, 100, 1000})
        EXPECT_NEAR(Split(VariantPicker(weights), 2, requests)[1], requests / 10.0, 2.5) << requests;
}

TEST(VariantPicker, TakesHugeAndTinyWeights) {
    const std::array<double, 3> huge = {1e308, 1e308, 1e-300};
    std::vector<int> counts = Split(VariantPicker(huge), 3, 1000);
    EXPECT_NEAR(counts[0], 500, 3);
    EXPECT_NEAR(counts[1], 500, 3);
}

TEST(VariantPicker, OneVariantTakesEverything) {
    const std::array<double, 1> weights = {0.25};
    VariantPicker picker(weights);
    for (std::uint64_t coordinate : {std::uint64_t{0}, std::uint64_t{1} << 63, UINT64_MAX})
        EXPECT_EQ(picker.Pick(coordinate), 0U);
}

TEST(VariantPicker, AllWeightsZeroTakeNothing) {
    const std::array<double, 2> weights = {0, 0};
    EXPECT_FALSE(VariantPicker(weights).Pick(17).has_value());
    EXPECT_FALSE(VariantPicker().Pick(17).has_value());
}

TEST(TrafficShare, TakesItsShareIndependentlyOfTheVariant) {
    const std::array<double, 2> weights = {1, 1};
    VariantPicker picker(weights);
    TrafficShare capture(0.3);
    TrafficShare mirror(0.5);
    TrafficSequence sequence;
    int captured_of_first = 0;
    int mirrored_and_captured = 0;
    constexpr int kRequests = 20'000;
    for (int i = 0; i < kRequests; ++i) {
        const TrafficPoint point = sequence.Next();
        if (capture.Takes(point.capture) && picker.Pick(point.pick) == 0U) ++captured_of_first;
        if (capture.Takes(point.capture) && mirror.Takes(point.mirror)) ++mirrored_and_captured;
    }
    EXPECT_NEAR(captured_of_first, kRequests * 0.15, kRequests * 0.005);
    EXPECT_NEAR(mirrored_and_captured, kRequests * 0.15, kRequests * 0.005);
}

TEST(TrafficShare, EndsAreExact) {
    for (std::uint64_t coordinate : {std::uint64_t{0}, UINT64_MAX}) {
        EXPECT_TRUE(TrafficShare(1.0).Takes(coordinate));
        EXPECT_TRUE(TrafficShare(7.0).Takes(coordinate));
        EXPECT_FALSE(TrafficShare(0.0).Takes(coordinate));
        EXPECT_FALSE(TrafficShare(-1.0).Takes(coordinate));
        EXPECT_FALSE(TrafficShare(std::nan("")).Takes(coordinate));
    }
}

}  // namespace
}  // namespace espalier::hosting
