#include "learn/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <thread>

#include "collective/self_comm.h"
#include "collective/thread_comm.h"
#include "kernels/simd_targets.h"
#include "learn/checkpoint.h"
#include "learn/node_rows.h"
#include "model/model_file.h"

namespace espalier::learn {
namespace {

/// Rows with missing values, explicit zeros, a constant and a nearly empty feature; labels follow from the features.
data::LabeledRows MakeRows(std::size_t num_rows, int num_class, unsigned seed, bool weighted = false) {
    std::mt19937 rng(seed);
    const auto uniform = [&] { return static_cast<float>(rng() % 10'000) / 10'000.0F; };
    data::LabeledRows labeled;
    labeled.rows.num_features = 8;
    for (std::size_t row = 0; row < num_rows; ++row) {
        float signal = 0;
        for (std::uint32_t feature = 0; feature < 8; ++feature) {
            float value = std::floor(uniform() * 50.0F);
            if (feature == 1 && uniform() < 0.7F) value = 0;
            if (feature == 2) value = 3;
            if (feature == 3 && uniform() < 0.3F) continue;
            if (feature == 4 && uniform() < 0.95F) continue;
            if (feature == 5) value = uniform();
            labeled.rows.feature_idx.push_back(feature);
            labeled.rows.values.push_back(value);
            signal += value * (feature % 2 == 0 ? 0.02F : -0.03F);
        }
        labeled.rows.row_offsets.push_back(labeled.rows.values.size());
        signal += uniform();
        labeled.labels.push_back(
            num_class > 1 ? std::fmod(std::floor(std::fabs(signal) * 4), static_cast<float>(num_class)) : signal);
        if (weighted) labeled.weights.push_back(0.5F + uniform());
    }
    return labeled;
}

data::LabeledRows Slice(const data::LabeledRows& whole, std::size_t begin, std::size_t end) {
    data::LabeledRows part;
    part.rows.num_features = whole.rows.num_features;
    part.rows.feature_types = whole.rows.feature_types;
    const auto first = static_cast<std::ptrdiff_t>(whole.rows.row_offsets[begin]);
    const auto last = static_cast<std::ptrdiff_t>(whole.rows.row_offsets[end]);
    part.rows.feature_idx.assign(whole.rows.feature_idx.begin() + first, whole.rows.feature_idx.begin() + last);
    part.rows.values.assign(whole.rows.values.begin() + first, whole.rows.values.begin() + last);
    for (std::size_t row = begin + 1; row <= end; ++row) {
        part.rows.row_offsets.push_back(whole.rows.row_offsets[row] - whole.rows.row_offsets[begin]);
    }
    part.labels.assign(whole.labels.begin() + static_cast<std::ptrdiff_t>(begin),
                       whole.labels.begin() + static_cast<std::ptrdiff_t>(end));
    if (!whole.weights.empty()) {
        part.weights.assign(whole.weights.begin() + static_cast<std::ptrdiff_t>(begin),
                            whole.weights.begin() + static_cast<std::ptrdiff_t>(end));
    }
    return part;
}

/// The model as bytes, and the metrics of every round.
struct Trained {
    std::vector<unsigned char> bytes;
    std::vector<double> metrics;
    TrainOutcome outcome;
};

template <typename T>
void Append(std::vector<unsigned char>& bytes, const std::vector<T>& values) {
    const auto* begin = reinterpret_cast<const unsigned char*>(values.data());
    bytes.insert(bytes.end(), begin, begin + values.size() * sizeof(T));
}

Trained TrainOn(const TrainParams& params, std::vector<DataSet> sets, int threads, collective::Comm& comm) {
    Trained trained;
    WorkerTeam team(threads);
    const TrainContext context{.team = team, .comm = comm, .on_round = [&](const RoundReport& report) {
                                   for (const auto& m : report.metrics) trained.metrics.push_back(m.value);
                               }};
    auto outcome = Train(params, sets, context);
    EXPECT_TRUE(outcome.has_value()) << outcome.error().ToString();
    if (!outcome.has_value()) return trained;
    Append(trained.bytes, outcome->model.base_score);
    Append(trained.bytes, outcome->model.weight_drop);
    Append(trained.bytes, outcome->model.linear_weights);
    for (const model::Tree& tree : outcome->model.trees) {
        Append(trained.bytes, tree.left_children);
        Append(trained.bytes, tree.split_indices);
        Append(trained.bytes, tree.split_conditions);
        Append(trained.bytes, tree.default_left);
        Append(trained.bytes, tree.base_weights);
        Append(trained.bytes, tree.loss_changes);
        Append(trained.bytes, tree.sum_hessian);
        Append(trained.bytes, tree.categories);
    }
    trained.outcome = std::move(*outcome);
    return trained;
}

Trained TrainAlone(const TrainParams& params, const data::LabeledRows& train, const data::LabeledRows& eval,
                   int threads) {
    collective::SelfComm comm;
    return TrainOn(params, {{"train", train, {}}, {"validation", eval, {}}}, threads, comm);
}

/// Rows [0, cut) on rank 0, the rest on rank 1; evaluation rows all on rank 1. What each rank has, of sums that travel
/// and of rows that do.
std::vector<Trained> TrainOnTwoRanks(TrainParams params, const data::LabeledRows& train, const data::LabeledRows& eval,
                                     std::size_t cut) {
    std::vector<Trained> trained(4);
    for (const std::size_t run : {0U, 1U}) {
        params.rank_traffic = run == 0 ? RankTraffic::kSums : RankTraffic::kRows;
        auto group = collective::ThreadComm::CreateGroup({.size = 2});
        std::vector<std::jthread> ranks;
        for (std::size_t rank = 0; rank < 2; ++rank) {
            ranks.emplace_back([&, rank] {
                const std::size_t begin = rank == 0 ? 0 : cut;
                const std::size_t end = rank == 0 ? cut : train.labels.size();
                std::vector<DataSet> sets = {{"train", Slice(train, begin, end), {{0, begin}}},
                                             {"validation", rank == 0 ? Slice(eval, 0, 0) : eval, {{0, 0}}}};
                trained[2 * run + rank] = TrainOn(params, std::move(sets), static_cast<int>(rank) + 1, *group[rank]);
            });
        }
    }
    return trained;
}

class Exactness : public testing::TestWithParam<std::tuple<std::string, HistogramWidth, bool>> {};

TEST_P(Exactness, ThreadsAndRanksDoNotChangeTheModel) {
    const auto& [objective, width, sampling] = GetParam();
    TrainParams params;
    params.objective = objective;
    params.num_class = objective.starts_with("multi") ? 4 : 0;
    params.num_rounds = 6;
    params.max_depth = 4;
    params.histogram_width = width;
    params.max_bin = 64;
    if (sampling) {
        params.subsample = 0.6F;
        params.colsample_bytree = 0.8F;
        params.colsample_bynode = 0.7F;
        params.grow_policy = GrowPolicy::kLossguide;
        params.max_leaves = 7;
        params.num_parallel_tree = 2;
    }
    data::LabeledRows train = MakeRows(3000, params.num_class, 1, sampling);
    data::LabeledRows eval = MakeRows(500, params.num_class, 2, sampling);
    if (objective == "binary:logistic") {
        for (float& label : train.labels) label = label > 0 ? 1.0F : 0.0F;
        for (float& label : eval.labels) label = label > 0 ? 1.0F : 0.0F;
        params.eval_metrics = {"logloss", "auc", "error@0.4"};
    }
    const Trained one = TrainAlone(params, train, eval, 1);
    ASSERT_GT(one.outcome.model.trees[0].num_nodes(), 5U);
    for (const int threads : {2, 5}) {
        const Trained more = TrainAlone(params, train, eval, threads);
        EXPECT_EQ(one.bytes, more.bytes);
        EXPECT_EQ(one.metrics, more.metrics);
    }
    for (const std::size_t cut : {std::size_t{1700}, std::size_t{0}}) {
        for (const Trained& rank : TrainOnTwoRanks(params, train, eval, cut)) {
            EXPECT_EQ(one.bytes, rank.bytes);
            EXPECT_EQ(one.metrics, rank.metrics);
            EXPECT_GT(rank.outcome.bytes_sent, 0U);
        }
    }
}

// A rank's blocks of rows lie across those of the joined rows.
TEST(RowsThatTravel, AreTheSameRowsInOtherBlocks) {
    TrainParams params;
    params.objective = "reg:squarederror";
    params.num_rounds = 2;
    params.max_depth = 4;
    params.histogram_width = HistogramWidth::kPacked;
    params.max_bin = 16;
    const data::LabeledRows train = MakeRows(2 * kNodeBlockRows + 30'000, 0, 1);
    const data::LabeledRows eval = MakeRows(100, 0, 2);
    const Trained one = TrainAlone(params, train, eval, 2);
    for (const std::size_t cut : {kNodeBlockRows + 4'465, std::size_t{1}}) {
        for (const Trained& rank : TrainOnTwoRanks(params, train, eval, cut)) EXPECT_EQ(one.bytes, rank.bytes) << cut;
    }
}

INSTANTIATE_TEST_SUITE_P(All, Exactness,
                         testing::Combine(testing::Values("reg:squarederror", "binary:logistic", "multi:softmax"),
                                          testing::Values(HistogramWidth::kPacked, HistogramWidth::kWide),
                                          testing::Bool()));

/// Parameters that change how trees grow, each of which has to keep the sums exact.
struct Growth {
    const char* name;
    std::function<void(TrainParams&)> set;
};

class GrowthExactness : public testing::TestWithParam<std::tuple<Growth, HistogramWidth>> {};

TEST_P(GrowthExactness, ThreadsAndRanksDoNotChangeTheModel) {
    const auto& [growth, width] = GetParam();
    TrainParams params;
    params.num_rounds = 4;
    params.max_depth = 5;
    params.max_bin = 64;
    params.histogram_width = width;
    growth.set(params);
    data::LabeledRows train = MakeRows(3000, params.num_class, 1);
    data::LabeledRows eval = MakeRows(500, params.num_class, 2);
    if (params.objective == "binary:logistic") {
        for (float& label : train.labels) label = label > 0 ? 1.0F : 0.0F;
        for (float& label : eval.labels) label = label > 0 ? 1.0F : 0.0F;
    }
    if (std::string(growth.name).starts_with("categories")) {
        // Features 0, 3, 6 have 50 categories, 2 has 4; 3 has missing values.
        train.rows.feature_types.assign(8, data::FeatureType::kNumeric);
        for (const std::size_t feature : {0U, 2U, 3U, 6U}) {
            train.rows.feature_types[feature] = data::FeatureType::kCategorical;
        }
    }
    const Trained one = TrainAlone(params, train, eval, 1);
    ASSERT_EQ(train.rows.feature_types.empty(), one.outcome.model.trees[0].categories.empty());
    ASSERT_GT(one.outcome.model.trees[0].num_nodes(), 5U);
    const Trained more = TrainAlone(params, train, eval, 5);
    EXPECT_EQ(one.bytes, more.bytes);
    EXPECT_EQ(one.metrics, more.metrics);
    for (const Trained& rank : TrainOnTwoRanks(params, train, eval, 1700)) {
        EXPECT_EQ(one.bytes, rank.bytes);
        EXPECT_EQ(one.metrics, rank.metrics);
    }
}

const Growth kGrowths[] = {
    {"monotone", [](TrainParams& params) { params.monotone_constraints = {1, -1, 0, 0, 1, -1}; }},
    {"interaction",
     [](TrainParams& params) {
         params.interaction_constraints = {{0, 1}, {1, 5, 6}};
         params.grow_policy = GrowPolicy::kLossguide;
     }},
    {"by_gradient",
     [](TrainParams& params) {
         params.objective = "binary:logistic";
         params.subsample = 0.4F;
         params.sampling_method = SamplingMethod::kGradientBased;
         params.num_parallel_tree = 2;
     }},
    {"feature_weights",
     [](TrainParams& params) {
         params.colsample_bytree = 0.6F;
         params.colsample_bynode = 0.7F;
         params.feature_weights = {1, 2, 0.5F, 3, 1, 1, 0, 4};
     }},
    {"approx",
     [](TrainParams& params) {
         params.objective = "binary:logistic";
         params.tree_method = TreeMethod::kApprox;
         params.max_bin = 20;
         params.num_parallel_tree = 2;
         params.subsample = 0.8F;
     }},
    {"categories",
     [](TrainParams& params) {
         params.objective = "binary:logistic";
         params.max_depth = 6;
         params.grow_policy = GrowPolicy::kLossguide;
         params.monotone_constraints = {1};
     }},
    {"categories_approx",
     [](TrainParams& params) {
         params.objective = "binary:logistic";
         params.tree_method = TreeMethod::kApprox;
         params.max_bin = 30;
     }},
    {"pruned_afterwards",
     [](TrainParams& params) {
         params.objective = "multi:softprob";
         params.num_class = 3;
         params.gamma = 0.5F;
         params.pruning_rule = PruningRule::kAfterwards;
     }},
    {"vector_leaves",
     [](TrainParams& params) {
         params.objective = "multi:softprob";
         params.num_class = 3;
         params.vector_leaves = true;
         params.subsample = 0.7F;
         params.colsample_bynode = 0.8F;
     }},
    {"vector_leaves_by_gradient",
     [](TrainParams& params) {
         params.objective = "multi:softprob";
         params.num_class = 3;
         params.vector_leaves = true;
         params.num_parallel_tree = 2;
         params.subsample = 0.5F;
         params.sampling_method = SamplingMethod::kGradientBased;
     }},
    {"refreshed_and_pruned",
     [](TrainParams& params) {
         params.subsample = 0.5F;
         params.gamma = 0.02F;
         params.num_parallel_tree = 2;
         params.tree_steps = {TreeStep::kRefresh, TreeStep::kPrune};
     }},
};

INSTANTIATE_TEST_SUITE_P(All, GrowthExactness,
                         testing::Combine(testing::ValuesIn(kGrowths),
                                          testing::Values(HistogramWidth::kPacked, HistogramWidth::kWide)),
                         [](const auto& info) {
                             const bool packed = std::get<1>(info.param) == HistogramWidth::kPacked;
                             return std::string(std::get<0>(info.param).name) + (packed ? "_packed" : "_wide");
                         });

/// Histograms that do not fit the budget are added up from rows again, which gives the same sums.
TEST(Trainer, VectorLeavesAreTheSameInLittleMemory) {
    TrainParams params;
    params.objective = "multi:softprob";
    params.num_class = 3;
    params.vector_leaves = true;
    params.num_rounds = 2;
    params.max_depth = 5;
    const data::LabeledRows train = MakeRows(1200, 3, 1);
    const data::LabeledRows eval = MakeRows(300, 3, 2);
    const Trained roomy = TrainAlone(params, train, eval, 2);
    ASSERT_GT(roomy.outcome.model.trees[0].num_nodes(), 9U);
    params.histogram_bytes_max = 1;
    EXPECT_EQ(TrainAlone(params, train, eval, 2).bytes, roomy.bytes);
}

/// Column walks and a histogram cell per distinct value are two ways to the same trees.
TEST(Trainer, ExactIsTheSameByColumnsAndByHistograms) {
    for (const bool constrained : {false, true}) {
        TrainParams params;
        params.tree_method = TreeMethod::kExact;
        params.num_rounds = 3;
        params.max_depth = 5;
        params.gamma = 0.01F;
        params.colsample_bylevel = 0.8F;
        if (constrained) {
            params.monotone_constraints = {1, -1};
            params.interaction_constraints = {{0, 1, 3}, {1, 5}};
        }
        data::LabeledRows train = MakeRows(1200, 0, 1);
        const data::LabeledRows eval = MakeRows(300, 0, 2);
        const Trained by_histograms = TrainAlone(params, train, eval, 1);
        ASSERT_GT(by_histograms.outcome.model.trees[0].num_nodes(), 5U);
        const Trained again = TrainAlone(params, train, eval, 5);
        EXPECT_EQ(by_histograms.bytes, again.bytes);
        params.exact_cells_max = 0;
        const Trained by_columns = TrainAlone(params, train, eval, 1);
        EXPECT_EQ(by_histograms.bytes, by_columns.bytes);
        EXPECT_EQ(by_histograms.metrics, by_columns.metrics);
        EXPECT_EQ(by_columns.bytes, TrainAlone(params, train, eval, 5).bytes);
    }
}

TEST(Trainer, NodesCutByRowsAndInstructionSetsDoNotChangeTheModel) {
    TrainParams params;
    params.num_rounds = 2;
    params.max_depth = 3;
    params.histogram_width = HistogramWidth::kPacked;
    for (const char* objective : {"reg:squarederror", "multi:softprob", "multi:softprob with vector leaves"}) {
        params.vector_leaves = std::string_view(objective).ends_with("leaves");
        params.objective = params.vector_leaves ? "multi:softprob" : objective;
        params.num_class = params.objective == "multi:softprob" ? 3 : 0;
        // So many rows that with several threads a node is cut into chunks.
        const data::LabeledRows train = MakeRows(40'000, params.num_class, 1);
        const data::LabeledRows eval = MakeRows(100, params.num_class, 2);
        const Trained one = TrainAlone(params, train, eval, 1);
        for (const std::string& level : kernels::SimdNames()) {
            ASSERT_TRUE(kernels::LimitSimd(level).has_value());
            const Trained more = TrainAlone(params, train, eval, 4);
            EXPECT_EQ(one.bytes, more.bytes) << level;
            EXPECT_EQ(one.metrics, more.metrics) << level;
        }
        ASSERT_TRUE(kernels::LimitSimd("").has_value());
        for (const Trained& rank : TrainOnTwoRanks(params, train, eval, 30'000)) EXPECT_EQ(one.bytes, rank.bytes);
    }
}

TEST(Trainer, ALowMemoryBudgetDoesNotChangeTheModel) {
    TrainParams params;
    params.num_rounds = 3;
    params.max_depth = 7;
    for (const GrowPolicy policy : {GrowPolicy::kDepthwise, GrowPolicy::kLossguide}) {
        params.grow_policy = policy;
        for (const char* objective : {"reg:squarederror", "multi:softprob"}) {
            params.objective = objective;
            params.num_class = params.objective == "multi:softprob" ? 3 : 0;
            params.histogram_bytes_max = std::size_t{512} << 20;
            for (const HistogramWidth width : {HistogramWidth::kPacked, HistogramWidth::kWide}) {
                params.histogram_width = width;
                const data::LabeledRows train = MakeRows(2000, params.num_class, 1);
                const data::LabeledRows eval = MakeRows(100, params.num_class, 2);
                params.histogram_bytes_max = std::size_t{512} << 20;
                const Trained plenty = TrainAlone(params, train, eval, 2);
                params.histogram_bytes_max = 40'000;  // A handful of histograms.
                EXPECT_EQ(plenty.bytes, TrainAlone(params, train, eval, 2).bytes);
                for (const Trained& rank : TrainOnTwoRanks(params, train, eval, 900))
                    EXPECT_EQ(plenty.bytes, rank.bytes);
            }
        }
    }
}

TEST(Trainer, TheMarginsFromLeafMembershipAreThoseOfTheTrees) {
    TrainParams params;
    params.num_rounds = 5;
    params.eval_metrics = {"rmse"};
    const data::LabeledRows train = MakeRows(800, 0, 1);
    const data::LabeledRows eval = MakeRows(300, 0, 9);
    const Trained trained = TrainAlone(params, train, eval, 2);
    for (const auto* rows : {&train, &eval}) {
        double squares = 0;
        for (std::size_t row = 0; row < rows->labels.size(); ++row) {
            std::vector<float> values(8, std::nanf(""));
            for (auto e = rows->rows.row_offsets[row]; e < rows->rows.row_offsets[row + 1]; ++e) {
                values[rows->rows.feature_idx[e]] = rows->rows.values[e];
            }
            float margin = trained.outcome.model.base_score[0];
            for (const model::Tree& tree : trained.outcome.model.trees) {
                std::size_t node = 0;
                while (!tree.is_leaf(node)) {
                    const float value = values[static_cast<std::size_t>(tree.split_indices[node])];
                    const bool left =
                        std::isnan(value) ? tree.default_left[node] != 0 : value < tree.split_conditions[node];
                    node = static_cast<std::size_t>(left ? tree.left_children[node] : tree.right_children[node]);
                }
                margin += tree.split_conditions[node];
            }
            const double error = static_cast<double>(margin - rows->labels[row]);
            squares += error * error;
        }
        const std::size_t at = trained.metrics.size() - (rows == &train ? 2 : 1);
        EXPECT_NEAR(trained.metrics[at], std::sqrt(squares / static_cast<double>(rows->labels.size())), 1e-6);
    }
}

TEST(Trainer, EarlyStoppingKeepsTheBestRounds) {
    TrainParams params;
    params.num_rounds = 200;
    params.eta = 1;
    params.early_stopping_rounds = 3;
    params.eval_metrics = {"rmse"};
    const data::LabeledRows train = MakeRows(300, 0, 1);
    const data::LabeledRows eval = MakeRows(300, 0, 2);
    const Trained saved = TrainAlone(params, train, eval, 1);
    ASSERT_TRUE(saved.outcome.stopped_early);
    EXPECT_EQ(saved.outcome.num_rounds_done, saved.outcome.best_round + 4);
    EXPECT_EQ(saved.outcome.model.num_rounds(), static_cast<std::size_t>(saved.outcome.best_round) + 1);
    EXPECT_EQ(saved.outcome.model.attributes.at("best_iteration"), std::to_string(saved.outcome.best_round));
    params.early_stopping_rule = EarlyStoppingRule::kKeepAll;
    const Trained all = TrainAlone(params, train, eval, 1);
    EXPECT_EQ(all.outcome.model.num_rounds(), static_cast<std::size_t>(all.outcome.num_rounds_done));
}

/// Trains, and again from a checkpoint after each round, and compares the models' files.
void ExpectSameModelFromEachRound(const TrainParams& params, int num_ranks) {
    const data::LabeledRows train = MakeRows(900, params.num_class, 1, true);
    const data::LabeledRows eval = MakeRows(200, params.num_class, 2);
    const auto run = [&](const TrainingStart* start, std::vector<std::string>* checkpoints) {
        auto group = collective::ThreadComm::CreateGroup({.size = num_ranks});
        std::vector<std::string> files(static_cast<std::size_t>(num_ranks));
        std::vector<std::jthread> ranks;
        for (std::size_t rank = 0; rank < files.size(); ++rank) {
            ranks.emplace_back([&, rank] {
                const std::size_t begin = rank == 0 ? 0 : 500;
                const std::size_t end = rank + 1 == files.size() ? 900 : 500;
                std::vector<DataSet> sets = {{"train", Slice(train, begin, end), {{0, begin}}},
                                             {"validation", rank == 0 ? eval : Slice(eval, 0, 0), {{0, 0}}}};
                WorkerTeam team(1);
                const auto keep = [&](int, const model::TreeEnsemble& model) {
                    if (checkpoints != nullptr && rank == 0) checkpoints->push_back(WriteCheckpoint(model));
                };
                const TrainContext context{.team = team, .comm = *group[rank], .start = start, .on_model = keep};
                auto outcome = Train(params, sets, context);
                ASSERT_TRUE(outcome.has_value()) << outcome.error().ToString();
                files[rank] = model::WriteModel(outcome->model, model::ModelFormat::kUbjson);
            });
        }
        ranks.clear();
        return files[0];
    };
    std::vector<std::string> checkpoints;
    const std::string whole = run(nullptr, &checkpoints);
    ASSERT_FALSE(checkpoints.empty());
    for (std::size_t round = 0; round < checkpoints.size(); ++round) {
        TrainingStart start{model::ReadModel(checkpoints[round]).value(), 0};
        start.model.attributes.erase("espalier_seal");
        EXPECT_TRUE(run(&start, nullptr) == whole) << "from round " << round;
    }
}

TEST(Resume, EndsWithTheBytesOfATrainingThatNeverDied) {
    TrainParams params;
    params.objective = "multi:softprob";
    params.num_class = 3;
    params.num_rounds = 6;
    params.max_depth = 4;
    params.subsample = 0.6F;
    params.colsample_bynode = 0.7F;
    params.num_parallel_tree = 2;
    params.eval_metrics = {"mlogloss"};
    for (const int num_ranks : {1, 2}) ExpectSameModelFromEachRound(params, num_ranks);
}

TrainParams ParamsOf(model::Booster booster) {
    TrainParams params;
    params.objective = "multi:softprob";
    params.num_class = 3;
    params.num_rounds = 8;
    params.max_depth = 3;
    params.booster = booster;
    params.dart = {.weighted = true, .rate_drop = 0.4F, .one_drop = true};
    params.eval_metrics = {"mlogloss"};
    if (booster == model::Booster::kGblinear) {
        params.lambda = 0.01F;
        params.alpha = 0.005F;
    }
    return params;
}

class EachBooster : public testing::TestWithParam<model::Booster> {};

TEST_P(EachBooster, ThreadsAndRanksDoNotChangeTheModel) {
    const TrainParams params = ParamsOf(GetParam());
    const data::LabeledRows train = MakeRows(9000, 3, 1, true);
    const data::LabeledRows eval = MakeRows(300, 3, 2);
    const Trained alone = TrainAlone(params, train, eval, 1);
    const Trained threads = TrainAlone(params, train, eval, 3);
    EXPECT_TRUE(threads.bytes == alone.bytes);
    EXPECT_EQ(threads.metrics, alone.metrics);
    for (const std::size_t cut : {std::size_t{4000}, std::size_t{0}}) {
        for (const Trained& rank : TrainOnTwoRanks(params, train, eval, cut)) {
            EXPECT_TRUE(rank.bytes == alone.bytes) << cut;
            EXPECT_EQ(rank.metrics, alone.metrics);
        }
    }
    EXPECT_LT(alone.metrics[alone.metrics.size() - 2], alone.metrics[0]) << "it learns";
}

TEST_P(EachBooster, GoOnFromTheirCheckpoints) {
    for (const int num_ranks : {1, 2}) ExpectSameModelFromEachRound(ParamsOf(GetParam()), num_ranks);
}

INSTANTIATE_TEST_SUITE_P(All, EachBooster, testing::Values(model::Booster::kDart, model::Booster::kGblinear),
                         [](const auto& info) { return info.param == model::Booster::kDart ? "dart" : "gblinear"; });

TEST(Boosters, AModelOfGbtreeGoesOnAsDart) {
    TrainParams params = ParamsOf(model::Booster::kGbtree);
    const data::LabeledRows train = MakeRows(300, 3, 1);
    const TrainingStart start{TrainAlone(params, train, train, 1).outcome.model, 8};
    const auto go_on = [&](model::Booster booster) {
        params.booster = booster;
        WorkerTeam team(1);
        collective::SelfComm comm;
        std::vector<DataSet> sets = {{"train", train, {}}};
        return Train(params, sets, {.team = team, .comm = comm, .start = &start});
    };
    const auto dart = go_on(model::Booster::kDart);
    ASSERT_TRUE(dart.has_value()) << dart.error().ToString();
    EXPECT_EQ(dart->model.weight_drop.size(), dart->model.trees.size());
    EXPECT_EQ(dart->model.num_rounds(), 16U);
    const auto linear = go_on(model::Booster::kGblinear);
    ASSERT_FALSE(linear.has_value());
    EXPECT_NE(linear.error().ToString().find("was trained with booster 'gbtree': set booster to 'gbtree'"),
              std::string::npos);
}

TEST(Resume, EarlyStoppingRemembersItsBestRound) {
    TrainParams params;
    params.num_rounds = 60;
    params.eta = 1;
    params.early_stopping_rounds = 3;
    params.eval_metrics = {"rmse"};
    for (const auto rule : {EarlyStoppingRule::kSaveBest, EarlyStoppingRule::kKeepAll}) {
        params.early_stopping_rule = rule;
        ExpectSameModelFromEachRound(params, 1);
    }
}

TEST(Resume, AModelThatDoesNotFitIsRefused) {
    TrainParams params;
    params.num_rounds = 2;
    const data::LabeledRows train = MakeRows(100, 0, 1);
    const TrainingStart start{TrainAlone(params, train, train, 1).outcome.model, 2};
    const auto reason = [&](const TrainParams& changed, std::uint32_t num_features) {
        WorkerTeam team(1);
        collective::SelfComm comm;
        std::vector<DataSet> sets = {{"train", MakeRows(100, changed.num_class, 1), {}}};
        sets[0].labeled.rows.num_features = num_features;
        auto outcome = Train(changed, sets, {.team = team, .comm = comm, .start = &start});
        return outcome.has_value() ? std::string() : outcome.error().ToString();
    };
    EXPECT_NE(reason(params, 9).find("trained on 8 features, the data has 9"), std::string::npos);
    params.objective = "multi:softmax";
    params.num_class = 3;
    EXPECT_NE(reason(params, 8).find("gives 1 values per row, this training 3"), std::string::npos);
}

TEST(Trainer, ASetStopFlagEndsAfterTheRound) {
    TrainParams params;
    params.num_rounds = 100;
    const data::LabeledRows train = MakeRows(200, 0, 1);
    WorkerTeam team(1);
    collective::SelfComm comm;
    std::atomic<bool> stop = false;
    std::vector<DataSet> sets = {{"train", train, {}}};
    const TrainContext context{.team = team, .comm = comm, .stop = &stop, .on_round = [&](const RoundReport& report) {
                                   stop = report.round == 4;
                               }};
    auto outcome = Train(params, sets, context);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_TRUE(outcome->stopped_by_flag);
    EXPECT_EQ(outcome->model.num_rounds(), 5U);
}

TEST(Trainer, ALabelThatCannotBeIsTold) {
    TrainParams params;
    params.objective = "multi:softmax";
    params.num_class = 3;
    data::LabeledRows train = MakeRows(50, 3, 1);
    train.labels[17] = 3;
    WorkerTeam team(1);
    collective::SelfComm comm;
    std::vector<DataSet> sets = {{"train", train, {}}};
    BadRow bad;
    const TrainContext context{.team = team, .comm = comm};
    auto outcome = Train(params, sets, context, &bad);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(bad.row, 17U);
    EXPECT_NE(outcome.error().message().find("row 18 of the train data: label 3 is out of range"), std::string::npos);
}

TEST(Trainer, AValidationSetWithMoreFeaturesIsRefused) {
    TrainParams params;
    const data::LabeledRows train = MakeRows(50, 0, 1);
    data::LabeledRows eval = MakeRows(50, 0, 2);
    eval.rows.num_features = 9;
    WorkerTeam team(1);
    collective::SelfComm comm;
    std::vector<DataSet> sets = {{"train", train, {}}, {"validation", eval, {}}};
    const TrainContext context{.team = team, .comm = comm};
    auto outcome = Train(params, sets, context);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace espalier::learn
