#include "learn/objective.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "learn/column_sampler.h"
#include "learn/random.h"

namespace espalier::learn {
namespace {

/// The loss of one row in double, by the book.
double LossOf(const std::string& objective, const std::vector<double>& margins, float label) {
    if (objective == "reg:squarederror") return 0.5 * (margins[0] - label) * (margins[0] - label);
    if (objective == "binary:logistic") {
        return std::log1p(std::exp(-margins[0])) * label + std::log1p(std::exp(margins[0])) * (1 - label);
    }
    double sum = 0;
    for (const double margin : margins) sum += std::exp(margin);
    return std::log(sum) - margins[static_cast<std::size_t>(label)];
}

class Gradients : public testing::TestWithParam<std::string> {};

TEST_P(Gradients, AreTheFiniteDifferencesOfTheLoss) {
    TrainParams params;
    params.objective = GetParam();
    const bool multi = params.objective.starts_with("multi");
    params.num_class = multi ? 4 : 0;
    const std::size_t groups = multi ? 4 : 1;
    const auto objective = MakeObjective(params).value();
    std::mt19937 rng(11);
    constexpr std::size_t kRows = 50;
    std::vector<float> margins(groups * kRows);
    std::vector<float> labels(kRows);
    std::vector<float> weights(kRows);
    for (float& margin : margins) margin = static_cast<float>(rng() % 600) / 100.0F - 3.0F;
    for (float& label : labels) label = static_cast<float>(rng() % (multi ? 4 : 2));
    for (float& weight : weights) weight = 0.5F + static_cast<float>(rng() % 4);
    std::vector<float> grad(margins.size());
    std::vector<float> hess(margins.size());
    const RowsView rows{kRows, margins.data(), labels.data(), weights.data()};
    objective->Gradients(rows, 0, kRows, grad.data(), hess.data());
    constexpr double kStep = 1e-4;
    for (std::size_t row = 0; row < kRows; ++row) {
        for (std::size_t k = 0; k < groups; ++k) {
            std::vector<double> at;
            for (std::size_t g = 0; g < groups; ++g) at.push_back(static_cast<double>(margins[g * kRows + row]));
            const double middle = LossOf(params.objective, at, labels[row]);
            at[k] += kStep;
            const double above = LossOf(params.objective, at, labels[row]);
            at[k] -= 2 * kStep;
            const double below = LossOf(params.objective, at, labels[row]);
            const auto weight = static_cast<double>(weights[row]);
            EXPECT_NEAR(grad[k * kRows + row], (above - below) / (2 * kStep) * weight, 1e-5 * weight);
            // xgboost doubles the hessian of softmax.
            const double factor = multi ? 2.0 : 1.0;
            EXPECT_NEAR(hess[k * kRows + row], factor * (above - 2 * middle + below) / (kStep * kStep) * weight,
                        1e-4 * weight);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Gradients, testing::Values("reg:squarederror", "binary:logistic", "multi:softprob"));

TEST(Objective, LabelsThatCannotBe) {
    TrainParams params;
    params.objective = "multi:softmax";
    params.num_class = 3;
    const auto multi = MakeObjective(params).value();
    EXPECT_EQ(multi->FirstBadLabel(std::vector<float>{0, 1, 2, 3}), 3U);
    EXPECT_EQ(multi->FirstBadLabel(std::vector<float>{0, 0.5F}), 1U);
    EXPECT_EQ(multi->FirstBadLabel(std::vector<float>{-1}), 0U);
    EXPECT_EQ(multi->FirstBadLabel(std::vector<float>{0, 1, 2}), 3U);
    params.objective = "binary:logistic";
    const auto logistic = MakeObjective(params).value();
    EXPECT_EQ(logistic->FirstBadLabel(std::vector<float>{0, 1, 0.5F, 1.5F}), 3U);
    EXPECT_FALSE(logistic->CheckBaseScore(1).has_value());
}

TEST(Sampling, SharesAreKeptAndDoNotDependOnOrder) {
    const DrawStream stream(42, 3, 1, DrawPurpose::kRow);
    int kept = 0;
    for (std::uint64_t row = 0; row < 100'000; ++row) kept += stream.Uniform(row) < 0.3 ? 1 : 0;
    EXPECT_NEAR(kept, 30'000, 500);
    EXPECT_NE(DrawStream(42, 4, 1, DrawPurpose::kRow).Draw(7), stream.Draw(7));
    EXPECT_NE(DrawStream(43, 3, 1, DrawPurpose::kRow).Draw(7), stream.Draw(7));
    EXPECT_NE(DrawStream(42, 3, 2, DrawPurpose::kRow).Draw(7), stream.Draw(7));
    EXPECT_NE(DrawStream(42, 3, 1, DrawPurpose::kColumnByTree).Draw(7), stream.Draw(7));
}

TEST(Sampling, ColumnsNestByTreeLevelAndNode) {
    TrainParams params;
    params.colsample_bytree = 0.5F;
    params.colsample_bylevel = 0.5F;
    params.colsample_bynode = 0.4F;
    const ColumnSampler sampler(params, 100);
    const auto count = [](const std::vector<std::uint8_t>& mask) { return std::count(mask.begin(), mask.end(), 1); };
    const auto a = sampler.MaskOf(0, 0, 1, 1);
    const auto b = sampler.MaskOf(0, 0, 1, 2);
    EXPECT_EQ(count(a), 10);
    EXPECT_NE(a, b);
    params.colsample_bylevel = params.colsample_bynode = 1;
    const auto tree = ColumnSampler(params, 100).MaskOf(0, 0, 1, 1);
    EXPECT_EQ(count(tree), 50);
    for (std::size_t feature = 0; feature < 100; ++feature) EXPECT_LE(a[feature], tree[feature]);
    params.colsample_bytree = 0.001F;
    EXPECT_EQ(count(ColumnSampler(params, 100).MaskOf(0, 0, 0, 0)), 1) << "at least one feature stays";
}

}  // namespace
}  // namespace espalier::learn
