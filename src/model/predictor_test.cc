#include "model/predictor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "model/links.h"

namespace espalier::model {
namespace {

// A random tree of at most `max_nodes` nodes; the plain walk below is what the predictor is held against.
Tree RandomTree(std::mt19937& random, std::size_t max_nodes, std::int32_t num_features, bool chain) {
    Tree tree;
    auto add = [&](std::int32_t parent) {
        tree.left_children.push_back(-1);
        tree.right_children.push_back(-1);
        tree.parents.push_back(parent);
        tree.split_indices.push_back(0);
        tree.split_conditions.push_back(static_cast<float>(random() % 1000) / 997.0F - 0.5F);
        tree.default_left.push_back(0);
        tree.base_weights.push_back(0);
        tree.loss_changes.push_back(0);
        tree.sum_hessian.push_back(1);
        return static_cast<std::int32_t>(tree.num_nodes() - 1);
    };
    std::vector<std::int32_t> leaves = {add(kRootParent)};
    while (tree.num_nodes() + 2 <= max_nodes) {
        std::size_t pick = chain ? leaves.size() - 1 : random() % leaves.size();
        auto node = static_cast<std::size_t>(leaves[pick]);
        leaves.erase(leaves.begin() + static_cast<std::ptrdiff_t>(pick));
        tree.split_indices[node] = static_cast<std::int32_t>(random() % static_cast<unsigned>(num_features));
        tree.default_left[node] = static_cast<std::uint8_t>(random() % 2);
        std::int32_t left = add(static_cast<std::int32_t>(node));
        std::int32_t right = add(static_cast<std::int32_t>(node));
        tree.left_children[node] = left;
        tree.right_children[node] = right;
        leaves.push_back(left);
        leaves.push_back(right);
    }
    return tree;
}

TreeEnsemble RandomModel(unsigned seed, std::size_t num_trees, std::size_t max_nodes, std::int32_t num_features,
                         std::int32_t num_class) {
    std::mt19937 random(seed);
    TreeEnsemble model;
    model.objective = num_class > 1 ? "multi:softprob" : "reg:squarederror";
    model.num_class = num_class;
    model.num_feature = static_cast<std::uint32_t>(num_features);
    model.base_score = {0.25F};
    std::size_t groups = model.num_groups();
    for (std::size_t i = 0; i < num_trees * groups; ++i) {
        model.trees.push_back(RandomTree(random, 1 + random() % max_nodes, num_features, i % 5 == 4));
        model.tree_info.push_back(static_cast<std::int32_t>(i % groups));
        if ((i + 1) % groups == 0) model.iteration_indptr.push_back(static_cast<std::int32_t>(i + 1));
    }
    return model;
}

data::FeatureRows RandomRows(unsigned seed, std::size_t num_rows, std::uint32_t num_features) {
    std::mt19937 random(seed);
    data::FeatureRows rows;
    rows.num_features = num_features;
    for (std::size_t r = 0; r < num_rows; ++r) {
        for (std::uint32_t f = 0; f < num_features; ++f) {
            if (random() % 4 == 0) continue;
            rows.feature_idx.push_back(f);
            rows.values.push_back(random() % 3 == 0 ? 0.0F : static_cast<float>(random() % 1000) / 997.0F - 0.5F);
        }
        rows.row_offsets.push_back(rows.values.size());
    }
    return rows;
}

std::vector<float> PlainMargins(const TreeEnsemble& model, const data::FeatureRows& rows) {
    std::size_t groups = model.num_groups();
    std::vector<float> margins(rows.num_rows() * groups, model.base_score[0]);
    for (std::size_t r = 0; r < rows.num_rows(); ++r) {
        for (std::size_t t = 0; t < model.trees.size(); ++t) {
            const Tree& tree = model.trees[t];
            std::size_t node = 0;
            while (!tree.is_leaf(node)) {
                float value = std::numeric_limits<float>::quiet_NaN();
                for (std::uint64_t e = rows.row_offsets[r]; e < rows.row_offsets[r + 1]; ++e) {
                    if (rows.feature_idx[e] == static_cast<std::uint32_t>(tree.split_indices[node]))
                        value = rows.values[e];
                }
                bool left = std::isnan(value) ? tree.default_left[node] != 0 : value < tree.split_conditions[node];
                node = static_cast<std::size_t>(left ? tree.left_children[node] : tree.right_children[node]);
            }
            margins[r * groups + static_cast<std::size_t>(model.tree_info[t])] += tree.split_conditions[node];
        }
    }
    return margins;
}

std::vector<float> Dense(const data::FeatureRows& rows) {
    std::vector<float> dense(rows.num_rows() * rows.num_features, std::numeric_limits<float>::quiet_NaN());
    for (std::size_t r = 0; r < rows.num_rows(); ++r) {
        for (std::uint64_t e = rows.row_offsets[r]; e < rows.row_offsets[r + 1]; ++e)
            dense[r * rows.num_features + rows.feature_idx[e]] = rows.values[e];
    }
    return dense;
}

// Planes (all trees shallow), complete and deep (linked) trees, chains among them; row counts around the blocks.
TEST(PredictorTest, AgreesWithThePlainWalkBitForBit) {
    for (std::size_t max_nodes : {1U, 3U, 15U, 31U, 400U}) {
        for (std::int32_t num_class : {0, 3}) {
            TreeEnsemble model = RandomModel(static_cast<unsigned>(max_nodes), 7, max_nodes, 20, num_class);
            auto predictor = Predictor::Create(model);
            ASSERT_TRUE(predictor) << predictor.error().ToString();
            for (std::size_t num_rows : {0U, 1U, 7U, 8U, 9U, 64U, 65U, 130U, 256U, 300U}) {
                for (std::uint32_t num_features : {0U, 5U, 20U, 40U}) {
                    data::FeatureRows rows = RandomRows(static_cast<unsigned>(num_rows), num_rows, num_features);
                    std::vector<float> margins(num_rows * model.num_groups());
                    (*predictor)->PredictMargins(rows, margins);
                    const std::vector<float> expected = PlainMargins(model, rows);
                    EXPECT_EQ(margins, expected) << max_nodes << " " << num_rows;
                    (*predictor)->PredictDenseMargins(Dense(rows), num_features, margins);
                    EXPECT_EQ(margins, expected) << max_nodes << " " << num_rows << " dense";
                }
            }
        }
    }
}

TEST(PredictorTest, AHugeFeatureIndexNeedsNoHugeTable) {
    TreeEnsemble model = RandomModel(1, 2, 7, 4, 0);
    model.num_feature = 2147483647U;
    model.trees[0].split_indices[0] = 2147483646;
    auto predictor = Predictor::Create(model);
    ASSERT_TRUE(predictor);
    data::FeatureRows rows;
    rows.feature_idx = {0, 2, 2147483646};
    rows.values = {0.1F, 0.2F, -0.4F};
    rows.row_offsets = {0, 3};
    std::vector<float> margins(1);
    (*predictor)->PredictMargins(rows, margins);
    EXPECT_EQ(margins, PlainMargins(model, rows));
}

TEST(PredictorTest, AppliesTheLinks) {
    TreeEnsemble model = RandomModel(2, 3, 7, 4, 3);
    data::FeatureRows rows = RandomRows(3, 10, 4);
    std::vector<float> margins = PlainMargins(model, rows);
    auto softprob = *Predictor::Create(model);
    model.objective = "multi:softmax";
    auto softmax = *Predictor::Create(model);
    std::vector<float> probabilities = softprob->Predict(rows);
    std::vector<float> classes = softmax->Predict(rows);
    EXPECT_EQ(softprob->outputs_per_row(), 3U);
    EXPECT_EQ(softmax->outputs_per_row(), 1U);
    ASSERT_EQ(probabilities.size(), 30U);
    ASSERT_EQ(classes.size(), 10U);
    for (std::size_t r = 0; r < 10; ++r) {
        float sum = 0;
        for (std::size_t k = 0; k < 3; ++k) sum += probabilities[r * 3 + k];
        EXPECT_NEAR(sum, 1.0F, 1e-6F);
        EXPECT_EQ(classes[r], static_cast<float>(ArgMax(std::span<const float>(margins).subspan(r * 3, 3))));
    }
    TreeEnsemble binary = RandomModel(4, 3, 7, 4, 0);
    binary.objective = "binary:hinge";
    std::vector<float> hinge = (*Predictor::Create(binary))->Predict(rows);
    std::vector<float> raw = PlainMargins(binary, rows);
    for (std::size_t r = 0; r < 10; ++r) EXPECT_EQ(hinge[r], raw[r] > 0 ? 1.0F : 0.0F);
}

TEST(PredictorTest, ArgMaxTakesTheFirstOfEquals) {
    EXPECT_EQ(ArgMax(std::vector<float>{1, 3, 3, 2}), 1U);
    EXPECT_EQ(ArgMax(std::vector<float>{0, 0}), 0U);
}

TEST(PredictorTest, SigmoidHoldsAtTheEnds) {
    EXPECT_EQ(Sigmoid(0), 0.5F);
    EXPECT_EQ(Sigmoid(1000), 1.0F);
    EXPECT_GT(Sigmoid(-1000), 0.0F);
    EXPECT_LT(Sigmoid(-1000), 1e-38F);
}

TEST(PredictorTest, RefusesBrokenTreesAndUnknownObjectives) {
    TreeEnsemble model = RandomModel(5, 2, 15, 4, 0);
    model.trees[1].left_children[0] = 0;
    EXPECT_EQ(Predictor::Create(model).error().code(), ErrorCode::kCorruptData);
    model = RandomModel(5, 2, 15, 4, 0);
    model.objective = "reg:nonsense";
    EXPECT_EQ(Predictor::Create(model).error().code(), ErrorCode::kInvalidArgument);
}

TEST(PredictorTest, BaseScoresGoThroughTheLink) {
    TreeEnsemble model;
    model.objective = "binary:logistic";
    model.base_score = {0.5F};
    EXPECT_EQ((*BaseMargins(model))[0], 0.0F);
    model.base_score = {1.0F};
    EXPECT_NEAR((*BaseMargins(model))[0], 13.74516F, 1e-5F);
    model.base_score = {0.0F};
    EXPECT_NEAR((*BaseMargins(model))[0], -13.81551F, 1e-5F);
    model.objective = "count:poisson";
    model.base_score = {2.31F};
    EXPECT_EQ((*BaseMargins(model))[0], static_cast<float>(std::log(static_cast<double>(2.31F))));
    model.objective = "multi:softmax";
    model.num_class = 3;
    model.base_score = {0.5F};
    EXPECT_EQ(*BaseMargins(model), (std::vector<float>{0.5F, 0.5F, 0.5F}));
    model.base_score = {1, 2, 3};
    EXPECT_EQ(*BaseMargins(model), (std::vector<float>{1, 2, 3}));
}

}  // namespace
}  // namespace espalier::model
