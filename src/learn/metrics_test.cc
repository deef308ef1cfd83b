#include "learn/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>

#include "collective/self_comm.h"
#include "collective/thread_comm.h"

namespace espalier::learn {
namespace {

struct Data {
    std::vector<float> margins;  ///< [groups x rows]
    std::vector<float> labels;
    std::vector<float> weights;
    std::vector<std::uint32_t> queries;
};

double ValueOf(const std::string& metric, const TrainParams& params, const Data& data) {
    WorkerTeam team(2);
    collective::SelfComm comm;
    const RowsView rows{data.labels.size(), data.margins.data(),
                        data.labels.data(), data.weights.empty() ? nullptr : data.weights.data(),
                        data.queries,       {},
                        data.labels.size()};
    return MakeMetric(metric, params).value()->Evaluate(rows, team, comm).value();
}

TrainParams ParamsOf(const std::string& objective, int num_class = 0) {
    TrainParams params;
    params.objective = objective;
    params.num_class = num_class;
    return params;
}

TEST(Metrics, AreasByHand) {
    // By falling score: +, -, then a tie of + and -, then -.
    const Data data{{2, 1, 0, 0, -1}, {1, 0, 1, 0, 0}, {}, {}};
    // Pairs (2 positives x 3 negatives): the first positive wins 3; the second loses 1, ties 1, wins 1.
    EXPECT_DOUBLE_EQ(ValueOf("auc", ParamsOf("binary:logistic"), data), 4.5 / 6);
    const Data weighted{{2, 1, 0, 0, -1}, {1, 0, 1, 0, 0}, {2, 1, 1, 3, 1}, {}};
    EXPECT_DOUBLE_EQ(ValueOf("auc", ParamsOf("binary:logistic"), weighted), (2 * 5 + 1.5 + 1) / 15);
    const Data one_class{{2, 1}, {1, 1}, {}, {}};
    EXPECT_TRUE(std::isnan(ValueOf("auc", ParamsOf("binary:logistic"), one_class)));
    const Data perfect{{2, 1, -1}, {1, 1, 0}, {}, {}};
    EXPECT_DOUBLE_EQ(ValueOf("aucpr", ParamsOf("binary:logistic"), perfect), 1);
}

TEST(Metrics, QueriesByHand) {
    const Data data{{3, 2, 1, 5, 4}, {0, 1, 0, 0, 0}, {}, {0, 3, 5}};
    const TrainParams params = ParamsOf("rank:ndcg");
    EXPECT_DOUBLE_EQ(ValueOf("map", params, data), (0.5 + 1) / 2) << "a query without relevant rows counts 1";
    EXPECT_DOUBLE_EQ(ValueOf("map-", params, data), 0.25);
    EXPECT_DOUBLE_EQ(ValueOf("map@1", params, data), 0.5);
    EXPECT_NEAR(ValueOf("ndcg", params, data), (1 / std::log2(3.0) + 1) / 2, 1e-15);
    EXPECT_DOUBLE_EQ(ValueOf("ndcg@1-", params, data), 0);
    EXPECT_DOUBLE_EQ(ValueOf("pre@2", params, data), 0.25);
    const Data weighted{{3, 2, 1, 5, 4}, {0, 1, 0, 0, 1}, {3, 3, 3, 1, 1}, {0, 3, 5}};
    EXPECT_DOUBLE_EQ(ValueOf("map", params, weighted), (3 * 0.5 + 0.5) / 4);
}

TEST(Metrics, LogLossesByHand) {
    // More rows than a strip; labels of a class, and labels between the classes.
    Data data;
    double expected = 0;
    for (int i = 0; i < 1200; ++i) {
        const float margin = static_cast<float>(i % 37) / 8.0F - 2.0F;
        const float label = i % 5 == 0 ? 0.25F : static_cast<float>(i % 2);
        const float weight = 1.0F + static_cast<float>(i % 3);
        data.margins.push_back(margin);
        data.labels.push_back(label);
        data.weights.push_back(weight);
        const double p = 1 / (1 + std::exp(-double{margin}));
        expected -= double{weight} * (double{label} * std::log(p) + (1 - double{label}) * std::log(1 - p));
    }
    EXPECT_NEAR(ValueOf("logloss", ParamsOf("binary:logistic"), data), expected / 2400, 1e-6);
    const Data classes{{1, 0, 2, 0, -1, 0}, {2, 0}, {1, 3}, {}};  // margins of class 0, 1, 2 of two rows
    const double first = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(-1.0)) + 1;
    EXPECT_NEAR(ValueOf("mlogloss", ParamsOf("multi:softmax", 3), classes), (first + 3 * std::log(3.0)) / 4, 1e-6);
}

TEST(Metrics, ScoresOfTheImages) {
    const Data binary{{1, -1, 2, -3, 0.5F}, {1, 1, 0, 0, 1}, {}, {}};
    const TrainParams logistic = ParamsOf("binary:logistic");
    EXPECT_DOUBLE_EQ(ValueOf("accuracy", logistic, binary), 0.6);
    EXPECT_DOUBLE_EQ(ValueOf("precision", logistic, binary), 2.0 / 3);
    EXPECT_DOUBLE_EQ(ValueOf("recall", logistic, binary), 2.0 / 3);
    EXPECT_DOUBLE_EQ(ValueOf("f1_binary", logistic, binary), 2.0 / 3);
    EXPECT_DOUBLE_EQ(ValueOf("f1", logistic, binary), (2.0 / 3 + 0.5) / 2);
    EXPECT_DOUBLE_EQ(ValueOf("balanced_accuracy", logistic, binary), (2.0 / 3 + 0.5) / 2);
    // Classes 0, 1, 2; class 3 is never seen and counts nowhere.
    const Data multi{{5, 0, 0, 5, 0, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 2, 1}, {}, {}};
    const TrainParams softmax = ParamsOf("multi:softmax", 4);
    EXPECT_DOUBLE_EQ(ValueOf("precision_micro", softmax, multi), 0.5);
    EXPECT_DOUBLE_EQ(ValueOf("recall_macro", softmax, multi), (1 + 0.5 + 0) / 3);
    EXPECT_NE(MakeMetric("precision", softmax).error().message().find("Target is multiclass"), std::string::npos);
    const Data regression{{1, 2, 3}, {1, 2, 5}, {}, {}};
    EXPECT_DOUBLE_EQ(ValueOf("mse", ParamsOf("reg:squarederror"), regression), 4.0 / 3);
    EXPECT_NEAR(ValueOf("r2", ParamsOf("reg:squarederror"), regression), 1 - 4 / (26.0 / 3), 1e-15);
}

TEST(Metrics, NamesThatDoNotFit) {
    EXPECT_NE(MakeMetric("rmsee", ParamsOf("reg:squarederror")).error().message().find("Use one of: accuracy"),
              std::string::npos);
    EXPECT_FALSE(MakeMetric("rmse@3", ParamsOf("reg:squarederror")).has_value());
    EXPECT_FALSE(MakeMetric("auc", ParamsOf("reg:squarederror")).has_value());
    EXPECT_FALSE(MakeMetric("rmse", ParamsOf("multi:softmax", 3)).has_value());
    EXPECT_FALSE(MakeMetric("merror", ParamsOf("binary:logistic")).has_value());
    EXPECT_FALSE(MakeMetric("aft-nloglik", ParamsOf("survival:cox")).has_value());
    EXPECT_FALSE(MakeMetric("error@x", ParamsOf("binary:logistic")).has_value());
    EXPECT_EQ(MakeMetric("error@0.5", ParamsOf("binary:logistic")).value()->name(), "error");
    EXPECT_EQ(MakeMetric("tweedie-nloglik@1.2", ParamsOf("reg:tweedie")).value()->name(), "tweedie-nloglik@1.2");
}

/// Rows [begin, end), as one rank of several has them.
struct Share {
    std::size_t begin;
    std::size_t end;
};

double ValueOverRanks(const std::string& metric, const TrainParams& params, const Data& data,
                      const std::vector<Share>& shares) {
    auto comms = collective::ThreadComm::CreateGroup({.size = static_cast<int>(shares.size())});
    std::vector<double> values(shares.size());
    std::vector<std::jthread> threads;
    const auto groups = static_cast<std::size_t>(params.num_groups());
    const std::size_t num_rows = data.labels.size();
    for (std::size_t rank = 0; rank < shares.size(); ++rank) {
        threads.emplace_back([&, rank] {
            const Share share = shares[rank];
            std::vector<float> margins;
            for (std::size_t k = 0; k < groups; ++k) {
                const float* of_group = data.margins.data() + k * num_rows;
                margins.insert(margins.end(), of_group + share.begin, of_group + share.end);
            }
            std::vector<std::uint32_t> queries;
            for (const std::uint32_t begin : data.queries) {
                if (begin >= share.begin && begin <= share.end && share.end > share.begin) {
                    queries.push_back(begin - static_cast<std::uint32_t>(share.begin));
                }
            }
            const std::vector<RowSegment> segments = {{0, share.begin}};
            const RowsView rows{share.end - share.begin,
                                margins.data(),
                                data.labels.data() + share.begin,
                                data.weights.empty() ? nullptr : data.weights.data() + share.begin,
                                queries,
                                segments,
                                num_rows};
            WorkerTeam team(2);
            values[rank] = MakeMetric(metric, params).value()->Evaluate(rows, team, *comms[rank]).value();
        });
    }
    threads.clear();
    for (const double value : values) EXPECT_EQ(value, values[0]) << metric;
    return values[0];
}

TEST(Metrics, AreTheSameForAnyNumberOfRanks) {
    struct Case {
        TrainParams params;
        std::vector<std::string> metrics;
    };
    const std::vector<Case> cases = {
        {ParamsOf("binary:logistic"), {"logloss", "error", "auc", "aucpr", "f1", "rmse"}},
        {ParamsOf("multi:softprob", 3), {"mlogloss", "merror", "auc", "aucpr", "accuracy"}},
        {ParamsOf("rank:map"), {"map", "ndcg@3", "pre@2", "auc"}},
        {ParamsOf("count:poisson"), {"poisson-nloglik", "rmse", "mape", "r2", "tweedie-nloglik@1.3"}},
        {ParamsOf("survival:cox"), {"cox-nloglik"}},
    };
    std::mt19937 rng(3);
    for (const Case& one : cases) {
        constexpr std::size_t kRows = 600;
        Data data;
        const bool ranking = one.params.objective.starts_with("rank");
        const bool survival = one.params.objective.starts_with("survival");
        for (std::size_t i = 0; i < kRows * static_cast<std::size_t>(one.params.num_groups()); ++i) {
            data.margins.push_back(static_cast<float>(rng() % 64) / 16.0F - 2.0F);
        }
        for (std::size_t row = 0; row < kRows; ++row) {
            float label = static_cast<float>(rng() % (one.params.num_class > 1 ? 3 : 2));
            if (survival) label = static_cast<float>(rng() % 40 + 1) * (rng() % 3 == 0 ? -1.0F : 1.0F);
            data.labels.push_back(label);
            if (ranking && row % 10 == 0) data.queries.push_back(static_cast<std::uint32_t>(row));
            if (!survival)
                data.weights.push_back(ranking ? 1 + static_cast<float>(row / 10 % 3)
                                               : 0.3F + static_cast<float>(rng() % 5));
        }
        if (ranking) data.queries.push_back(kRows);
        for (const std::string& metric : one.metrics) {
            const double whole = ValueOf(metric, one.params, data);
            EXPECT_EQ(ValueOverRanks(metric, one.params, data, {{0, 250}, {250, 250}, {250, 600}}), whole) << metric;
        }
    }
}

}  // namespace
}  // namespace espalier::learn
