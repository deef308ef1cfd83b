#include "learn/objective.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "collective/self_comm.h"
#include "learn/column_sampler.h"
#include "learn/random.h"
#include "learn/survival_loss.h"

namespace espalier::learn {
namespace {

/// The loss of one row in double, by the book.
double LossOf(const TrainParams& params, const std::vector<double>& margins, float label) {
    const std::string& objective = params.objective;
    const double m = margins[0];
    const auto y = static_cast<double>(label);
    if (objective == "reg:squarederror") return 0.5 * (m - y) * (m - y);
    if (objective == "reg:pseudohubererror") return std::sqrt(1 + (m - y) * (m - y));
    if (objective == "reg:squaredlogerror") return 0.5 * std::pow(std::log1p(m) - std::log1p(y), 2);
    if (objective == "reg:gamma") return m + y * std::exp(-m);
    if (objective == "count:poisson") return std::exp(m) - y * m;
    if (objective == "reg:tweedie") {
        const auto rho = static_cast<double>(params.tweedie_variance_power);
        return -y * std::exp((1 - rho) * m) / (1 - rho) + std::exp((2 - rho) * m) / (2 - rho);
    }
    if (objective.starts_with("binary:")) return std::log1p(std::exp(-m)) * y + std::log1p(std::exp(m)) * (1 - y);
    if (objective == "survival:aft") {
        return AftLoss(NoiseDistributionOf(params.aft_loss_distribution), BoundsOf({.labels = &label}, 0), m,
                       static_cast<double>(params.aft_loss_distribution_scale));
    }
    double sum = 0;
    for (const double margin : margins) sum += std::exp(margin);
    return std::log(sum) - margins[static_cast<std::size_t>(label)];
}

struct GradientCase {
    std::string objective;
    std::string noise = "normal";
};

class Gradients : public testing::TestWithParam<GradientCase> {};

TEST_P(Gradients, AreTheFiniteDifferencesOfTheLoss) {
    TrainParams params;
    params.objective = GetParam().objective;
    params.aft_loss_distribution = GetParam().noise;
    params.aft_loss_distribution_scale = 1.3F;
    params.tweedie_variance_power = 1.4F;
    const bool multi = params.objective.starts_with("multi");
    const bool binary = params.objective.starts_with("binary");
    const bool survival = params.objective.starts_with("survival");
    // Not where the loss itself cancels: far below the time the extreme distribution leaves no digits.
    const float lowest = params.objective == "reg:squaredlogerror" ? 0.1F : (survival ? -1.0F : -3.0F);
    params.num_class = multi ? 4 : 0;
    const std::size_t groups = multi ? 4 : 1;
    const auto objective = MakeObjective(params).value();
    std::mt19937 rng(11);
    constexpr std::size_t kRows = 50;
    std::vector<float> margins(groups * kRows);
    std::vector<float> labels(kRows);
    std::vector<float> weights(kRows);
    for (float& margin : margins) margin = lowest + static_cast<float>(rng() % 600) / 100.0F;
    for (float& label : labels) {
        label = multi || binary ? static_cast<float>(rng() % (multi ? 4 : 2))
                                : 0.2F + static_cast<float>(rng() % 40) / 10.0F;
        if (survival && rng() % 2 == 0) label = -label;
    }
    for (float& weight : weights) weight = 0.5F + static_cast<float>(rng() % 4);
    std::vector<float> grad(margins.size());
    std::vector<float> hess(margins.size());
    const RowsView rows{kRows, margins.data(), labels.data(), weights.data()};
    WorkerTeam team(2);
    collective::SelfComm comm;
    ASSERT_TRUE(objective->Gradients(rows, 0, team, comm, grad.data(), hess.data()).has_value());
    constexpr double kStep = 1e-4;
    for (std::size_t row = 0; row < kRows; ++row) {
        for (std::size_t k = 0; k < groups; ++k) {
            std::vector<double> at;
            for (std::size_t g = 0; g < groups; ++g) at.push_back(static_cast<double>(margins[g * kRows + row]));
            const double middle = LossOf(params, at, labels[row]);
            at[k] += kStep;
            const double above = LossOf(params, at, labels[row]);
            at[k] -= 2 * kStep;
            const double below = LossOf(params, at, labels[row]);
            const auto weight = static_cast<double>(weights[row]);
            const double slope =
                survival ? std::clamp((above - below) / (2 * kStep), -15.0, 15.0) : (above - below) / (2 * kStep);
            EXPECT_NEAR(grad[k * kRows + row], slope * weight, 2e-5 * weight * (1 + std::fabs(slope)));
            // xgboost doubles the hessian of softmax, and steps ahead in that of Poisson.
            const double factor = multi ? 2.0 : 1.0;
            double curvature = factor * (above - 2 * middle + below) / (kStep * kStep);
            if (params.objective == "reg:squaredlogerror") curvature = std::max(curvature, 1e-6);
            if (survival) curvature = std::clamp(curvature, 0.0, 15.0);
            EXPECT_NEAR(hess[k * kRows + row], curvature * weight, 2e-4 * weight * (1 + std::fabs(curvature)))
                << margins[row] << " " << labels[row];
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Gradients,
                         testing::Values(GradientCase{"reg:squarederror"}, GradientCase{"reg:pseudohubererror"},
                                         GradientCase{"reg:squaredlogerror"}, GradientCase{"reg:gamma"},
                                         GradientCase{"count:poisson"}, GradientCase{"reg:tweedie"},
                                         GradientCase{"binary:logistic"}, GradientCase{"binary:logitraw"},
                                         GradientCase{"multi:softprob"}, GradientCase{"survival:aft", "normal"},
                                         GradientCase{"survival:aft", "logistic"},
                                         GradientCase{"survival:aft", "extreme"}),
                         [](const auto& info) {
                             std::string name = info.param.objective + "_" + info.param.noise;
                             std::replace(name.begin(), name.end(), ':', '_');
                             return name;
                         });

TEST(Cox, GradientsAreTheFiniteDifferencesOfThePartialLikelihood) {
    TrainParams params;
    params.objective = "survival:cox";
    const auto objective = MakeObjective(params).value();
    // Times without ties; the third is censored.
    const std::vector<float> labels = {3, 1, -2, 5, 4};
    const std::vector<float> margins = {0.3F, -0.2F, 0.5F, 0.1F, -0.4F};
    const auto loss = [&](const std::vector<double>& m) {
        double sum = 0;
        for (std::size_t i = 0; i < m.size(); ++i) {
            if (labels[i] <= 0) continue;
            double at_risk = 0;
            for (std::size_t j = 0; j < m.size(); ++j) {
                if (std::fabs(labels[j]) >= labels[i]) at_risk += std::exp(m[j]);
            }
            sum += std::log(at_risk) - m[i];
        }
        return sum;
    };
    std::vector<float> grad(5);
    std::vector<float> hess(5);
    const RowsView rows{5, margins.data(), labels.data(), nullptr};
    WorkerTeam team(1);
    collective::SelfComm comm;
    ASSERT_TRUE(objective->Prepare(rows, team, comm).has_value());
    ASSERT_TRUE(objective->Gradients(rows, 0, team, comm, grad.data(), hess.data()).has_value());
    constexpr double kStep = 1e-4;
    for (std::size_t i = 0; i < 5; ++i) {
        std::vector<double> at(margins.begin(), margins.end());
        const double middle = loss(at);
        at[i] += kStep;
        const double above = loss(at);
        at[i] -= 2 * kStep;
        const double below = loss(at);
        EXPECT_NEAR(grad[i], (above - below) / (2 * kStep), 1e-5);
        EXPECT_NEAR(hess[i], (above - 2 * middle + below) / (kStep * kStep), 1e-4);
    }
}

TEST(Ranking, OldImagesDrawPairsByTheQuerysPlaceAlone) {
    TrainParams params;
    params.objective = "rank:ndcg";
    params.version = AlgorithmVersion::k1_7_1;
    const std::vector<float> labels = {0, 2, 1, 0, 3, 0, 1, 1};
    const std::vector<float> margins = {0.1F, 0.4F, -0.3F, 0.2F, 0.0F, 0.5F, -0.1F, 0.3F};
    const std::vector<std::uint32_t> both = {0, 5, 8};
    const std::vector<std::uint32_t> one = {0, 3};
    WorkerTeam team(2);
    collective::SelfComm comm;
    const auto gradients = [&](const RowsView& rows) {
        const auto objective = MakeObjective(params).value();
        EXPECT_TRUE(objective->Prepare(rows, team, comm).has_value());
        std::vector<float> grad(rows.num_rows);
        std::vector<float> hess(rows.num_rows);
        EXPECT_TRUE(objective->Gradients(rows, 7, team, comm, grad.data(), hess.data()).has_value());
        return grad;
    };
    const auto whole = gradients({8, margins.data(), labels.data(), nullptr, both, {}, 8});
    // The second query alone on an instance, five rows into the job.
    const std::vector<RowSegment> place = {{0, 5}};
    const auto part = gradients({3, margins.data() + 5, labels.data() + 5, nullptr, one, place, 8});
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 5));
    EXPECT_GT(std::count_if(whole.begin(), whole.end(), [](float g) { return g != 0; }), 5);
    float sum = 0;
    for (const float g : part) sum += g;
    EXPECT_NEAR(sum, 0, 1e-6) << "what one row of a pair gains, the other loses";
}

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

TEST(Objective, DefaultMetricsFollowTheImage) {
    using enum AlgorithmVersion;
    const auto metric = [](const std::string& objective, AlgorithmVersion version) {
        TrainParams params;
        params.objective = objective;
        params.num_class = objective.starts_with("multi") ? 3 : 0;
        params.version = version;
        return MakeObjective(params).value()->DefaultMetric(ProfileOf(version).default_metrics);
    };
    EXPECT_EQ(metric("binary:logistic", k1_2_2), "error");
    EXPECT_EQ(metric("binary:logistic", k1_3_1), "logloss");
    EXPECT_EQ(metric("multi:softmax", k1_2_2), "merror");
    EXPECT_EQ(metric("multi:softmax", k1_3_1), "mlogloss");
    EXPECT_EQ(metric("binary:logitraw", k1_5_1), "auc");
    EXPECT_EQ(metric("reg:gamma", k1_7_1), "gamma-nloglik");
    EXPECT_EQ(metric("reg:gamma", k3_0_5), "gamma-deviance");
    EXPECT_EQ(metric("rank:ndcg", k1_7_1), "map");
    EXPECT_EQ(metric("rank:pairwise", k3_0_5), "ndcg@32");
    EXPECT_EQ(metric("rank:map", k3_2_0), "map@32");
    EXPECT_EQ(metric("reg:tweedie", k3_2_0), "tweedie-nloglik@1.5");
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
