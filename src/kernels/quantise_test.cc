#include "kernels/quantise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

constexpr std::size_t kSizes[] = {0, 1, 3, 4, 5, 8, 9, 31, 10'007};

/// Gradients up to 1: of every magnitude down to the subnormals, whole halves of packed units, zeros of both signs.
std::vector<float> Drawn(std::size_t size, bool is_signed, std::mt19937& rng) {
    std::vector<float> values(size);
    for (float& value : values) {
        const auto kind = rng() % 8;
        value = std::ldexp(static_cast<float>(rng() >> 8), kind == 0 ? -150 : -24 - static_cast<int>(rng() % 40));
        if (kind == 1) value = static_cast<float>(rng() % 4096) / 4096;
        if (kind == 2) value = 0.0F;
        if (is_signed && rng() % 2 == 0) value = -value;
    }
    return values;
}

TEST(Quantise, PairsAreTheScalarsOnEveryInstructionSet) {
    std::mt19937 rng(5);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : kSizes) {
            for (const int shift : {0, 1, 12, 30, 41}) {
                const std::vector<float> grad = Drawn(size, true, rng);
                const std::vector<float> hess = Drawn(size, false, rng);
                // A fine 1.0 is 2^(shift + 11): halves of a packed unit occur.
                const PackedScale grad_scale{.units_per_one = std::ldexp(1.0, shift + 11), .shift = shift};
                const PackedScale hess_scale{.units_per_one = std::ldexp(1.0, shift + 9), .shift = shift};
                std::vector<PackedPair> pairs(size);
                QuantisePairs(grad.data(), hess.data(), size, grad_scale, hess_scale, pairs.data());
                for (std::size_t i = 0; i < size; ++i) {
                    ASSERT_EQ(pairs[i], Pack(Shifted(ToFine(grad[i], grad_scale.units_per_one), shift),
                                             Shifted(ToFine(hess[i], hess_scale.units_per_one), shift)))
                        << level << " " << size << " " << shift << " " << grad[i] << " " << hess[i];
                }
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

TEST(Quantise, SumsAreTheScalarsOnEveryInstructionSet) {
    std::mt19937 rng(6);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : kSizes) {
            for (const double units : {1.0, 1024.0, 0x1p46, 0x1p51}) {
                const std::vector<float> values = Drawn(size, true, rng);
                std::int64_t sum = 0;
                std::int64_t magnitudes = 0;
                for (const float value : values) {
                    sum += ToFine(value, units);
                    magnitudes += ToFine(std::fabs(value), units);
                }
                ASSERT_EQ(SumFine(values.data(), size, units), sum) << level << " " << size << " " << units;
                ASSERT_EQ(SumFineMagnitudes(values.data(), size, units), magnitudes)
                    << level << " " << size << " " << units;
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

TEST(Quantise, TheGreatestMagnitudeShowsWhatIsNotFinite) {
    std::mt19937 rng(7);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : kSizes) {
            std::vector<float> values = Drawn(size, true, rng);
            float greatest = 0;
            for (const float value : values) greatest = std::max(greatest, std::fabs(value));
            ASSERT_EQ(GreatestMagnitude(values.data(), size), greatest) << level << " " << size;
            if (size == 0) continue;
            for (const float odd : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
                values[rng() % size] = -odd;
                ASSERT_FALSE(std::isfinite(GreatestMagnitude(values.data(), size))) << level << " " << size;
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

}  // namespace
}  // namespace espalier::kernels
