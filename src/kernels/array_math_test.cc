#include "kernels/array_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/float_math.h"
#include "kernels/simd_targets.h"

namespace espalier::kernels {
namespace {

/// Any bits a float can have, the usual range of margins, and the edges of both functions.
std::vector<float> Drawn(std::size_t size, std::mt19937& rng) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::vector<float> edges = {0.0F,
                                      -0.0F,
                                      1.0F,
                                      -1.0F,
                                      kInfinity,
                                      -kInfinity,
                                      90.0F,
                                      90.5F,
                                      -110.0F,
                                      -111.0F,
                                      1.41421354F,
                                      1e-45F,
                                      1e-16F,
                                      88.72F,
                                      -87.34F,
                                      -103.9F,
                                      std::numeric_limits<float>::quiet_NaN()};
    std::uniform_real_distribution<float> margin(-20, 20);
    std::vector<float> values(size);
    for (float& value : values) {
        switch (rng() % 8) {
            case 0:
                value = edges[rng() % edges.size()];
                break;
            case 1:
                value = std::bit_cast<float>(static_cast<std::uint32_t>(rng()));
                break;
            case 2:
                value = std::fabs(std::bit_cast<float>(static_cast<std::uint32_t>(rng())));
                break;
            default:
                value = margin(rng);
        }
    }
    return values;
}

bool SameBits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

TEST(ArrayMath, IsTheScalarBitForBitOnEveryInstructionSet) {
    std::mt19937 rng(17);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : {0U, 1U, 3U, 4U, 5U, 7U, 8U, 9U, 17U, 100'003U}) {
            const std::vector<float> values = Drawn(size, rng);
            std::vector<float> exps(size);
            std::vector<float> logs = values;
            ExpOfEach(values.data(), size, exps.data());
            LogOfEach(logs.data(), size, logs.data());  // in place
            for (std::size_t i = 0; i < size; ++i) {
                ASSERT_TRUE(SameBits(exps[i], Exp(values[i]))) << level << " exp " << values[i];
                ASSERT_TRUE(SameBits(logs[i], Log(values[i]))) << level << " log " << values[i];
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

TEST(ArrayMath, TheFirstOfTheGreatestClassesIsFoundOnEveryInstructionSet) {
    constexpr std::size_t kClasses = 5;
    std::mt19937 rng(19);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : {0U, 1U, 7U, 8U, 17U, 100U}) {
            const std::size_t stride = size + 3;
            std::vector<float> margins(kClasses * stride);
            for (float& margin : margins) {  // Few values, so that many are equal.
                margin = rng() % 20 == 0 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(rng() % 4) - 2;
            }
            std::vector<float> classes(size + 1, -1.0F);
            GreatestClasses(margins.data(), stride, kClasses, size, classes.data());
            EXPECT_EQ(classes[size], -1.0F);
            for (std::size_t i = 0; i < size; ++i) {
                std::size_t first = 0;
                for (std::size_t k = 1; k < kClasses; ++k) {
                    if (margins[k * stride + i] > margins[first * stride + i]) first = k;
                }
                ASSERT_EQ(classes[i], static_cast<float>(first)) << level << " " << size;
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

TEST(ArrayMath, SoftmaxIsTheScalarBitForBitOnEveryInstructionSet) {
    constexpr std::size_t kClasses = 3;
    constexpr float kHessMin = 1e-16F;
    std::mt19937 rng(18);
    std::uniform_real_distribution<float> draw(-30, 30);
    for (const std::string& level : SimdNames()) {
        ASSERT_TRUE(LimitSimd(level).has_value());
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{9}, kSoftmaxRows}) {
            const std::size_t stride = size + 5;
            std::vector<float> margins(kClasses * stride);
            std::vector<float> labels(size);
            std::vector<float> weights(size);
            for (float& margin : margins) margin = draw(rng);
            for (std::size_t i = 0; i < size; ++i) {
                labels[i] = static_cast<float>(rng() % kClasses);
                weights[i] = std::fabs(draw(rng));
            }
            for (const float* of_rows :
                 {static_cast<const float*>(nullptr), static_cast<const float*>(weights.data())}) {
                std::vector<float> grad(kClasses * stride);
                std::vector<float> hess(kClasses * stride);
                std::vector<float> totals(size);
                ExpsOfClasses(margins.data(), stride, kClasses, size, 1e-38F, grad.data(), stride, totals.data());
                const std::vector<float> exps = grad;
                SoftmaxGradients(labels.data(), of_rows, totals.data(), kClasses, size, kHessMin, grad.data(),
                                 hess.data(), stride);
                for (std::size_t i = 0; i < size; ++i) {
                    float highest = 1e-38F;
                    double sum = 0;
                    for (std::size_t k = 0; k < kClasses; ++k) highest = std::max(highest, margins[k * stride + i]);
                    for (std::size_t k = 0; k < kClasses; ++k) {
                        ASSERT_TRUE(SameBits(exps[k * stride + i], Exp(margins[k * stride + i] - highest))) << level;
                        sum += static_cast<double>(exps[k * stride + i]);
                    }
                    ASSERT_TRUE(SameBits(totals[i], static_cast<float>(sum))) << level;
                    const float weight = of_rows != nullptr ? of_rows[i] : 1.0F;
                    for (std::size_t k = 0; k < kClasses; ++k) {
                        const float p = exps[k * stride + i] / totals[i];
                        const float is_label = labels[i] == static_cast<float>(k) ? 1.0F : 0.0F;
                        ASSERT_TRUE(SameBits(grad[k * stride + i], (p - is_label) * weight)) << level << " " << size;
                        ASSERT_TRUE(SameBits(hess[k * stride + i], std::max(2.0F * p * (1.0F - p) * weight, kHessMin)))
                            << level << " " << size;
                    }
                }
            }
        }
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

}  // namespace
}  // namespace espalier::kernels
