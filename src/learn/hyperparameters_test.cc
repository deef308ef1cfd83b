#include "learn/hyperparameters.h"

#include <gtest/gtest.h>

#include "learn/hyperparameter_table.h"
#include "learn/python_text.h"

namespace espalier::learn {
namespace {

using enum AlgorithmVersion;

Result<Hyperparameters> Parse(HyperparameterList list, AlgorithmVersion version = k3_2_0, bool with_rounds = true) {
    if (with_rounds) list.insert(list.begin(), {"num_round", "10"});
    return ParseHyperparameters(list, ProfileOf(version));
}

std::string TextOf(const HyperparameterList& list, AlgorithmVersion version = k3_2_0) {
    const auto parsed = Parse(list, version);
    return parsed.has_value() ? "accepted" : parsed.error().message();
}

TEST(Hyperparameters, TheNotebooksOwn) {
    const HyperparameterList notebook = {{"max_depth", "5"},        {"eta", "0.2"},  {"gamma", "4"},
                                         {"min_child_weight", "6"}, {"silent", "0"}, {"objective", "multi:softmax"},
                                         {"num_class", "10"}};
    const auto legacy = Parse(notebook, kLegacy);
    ASSERT_TRUE(legacy.has_value()) << legacy.error().message();
    EXPECT_EQ(legacy->train.max_depth, 5);
    EXPECT_FLOAT_EQ(legacy->train.eta, 0.2F);
    EXPECT_EQ(legacy->train.num_class, 10);
    EXPECT_EQ(legacy->train.base_score_rule, BaseScoreRule::kHalf);
    EXPECT_TRUE(legacy->prints_trees);
    EXPECT_TRUE(legacy->warnings.empty());
    EXPECT_EQ(TextOf(notebook, k1_0_1), "accepted");
    EXPECT_EQ(TextOf(notebook, k1_2_1),
              "Extraneous hyperparameter found: silent. Image version 1.2-1 does not know it. Use verbosity (0 to 3) "
              "instead; silent ended with image 1.0-1.");
}

TEST(Hyperparameters, TextsOfTheLaterImages) {
    EXPECT_EQ(Parse({}, k3_2_0, false).error().message(), "Missing required hyperparameter: num_round");
    EXPECT_EQ(
        TextOf({{"max_depht", "3"}}),
        "Extraneous hyperparameter found: max_depht. Image version 3.2-0 does not know it. Did you mean max_depth?");
    EXPECT_EQ(TextOf({{"max_depth", "5.0"}}), "Hyperparameter max_depth: could not parse value (caused by ValueError)");
    EXPECT_EQ(TextOf({{"eta", "2"}}), "Hyperparameter eta: 2.0 is not in [0, 1]");
    EXPECT_EQ(TextOf({{"eta", "nan"}}), "Hyperparameter eta: nan is not in [0, 1]");
    EXPECT_EQ(TextOf({{"gamma", "-1"}}), "Hyperparameter gamma: -1.0 is not in [0, +inf)");
    EXPECT_EQ(TextOf({{"subsample", "0"}}), "Hyperparameter subsample: 0.0 is not in (0, 1]");
    EXPECT_EQ(TextOf({{"booster", "foo"}}), "Hyperparameter booster: foo is not in ['gbtree', 'gblinear', 'dart']");
    EXPECT_EQ(TextOf({{"objective", "multi:softmax"}}),
              "Require input for parameter 'num_class' for multi-classification");
    EXPECT_EQ(TextOf({{"eval_metric", "auc"}}),
              "Metric 'auc' can only be applied for classification and ranking problems.");
    EXPECT_EQ(TextOf({{"eval_metric", "rmse@2"}}),
              "Metric 'rmse@2' is not supported. Parameter 'eval_metric' with customized threshold should be one of "
              "these options: 'error', 'ndcg', 'map'.");
    EXPECT_EQ(TextOf({{"objective", "binary:logistic"}, {"eval_metric", "error@x"}}),
              "Threshold value 't' in 'error@t' expects float input.");
    EXPECT_TRUE(
        TextOf({{"eval_metric", "foo"}})
            .starts_with("Hyperparameter eval_metric: value ['foo'] not in range ['accuracy', 'auc', 'aucpr', "));
    EXPECT_EQ(
        TextOf({{"monotone_constraints", "(1,0)"}}),
        "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'.");
    EXPECT_EQ(TextOf({{"max_depth", "0"}}).substr(0, 30), "Max leaves and max depth canno");
}

TEST(Hyperparameters, TextsOfTheOldestImage) {
    const auto text = [](const HyperparameterList& list) { return TextOf(list, kLegacy); };
    EXPECT_EQ(Parse({}, kLegacy, false).error().message(), "Require input for parameter num_round");
    EXPECT_EQ(text({{"max_depth", "x"}}), "Parameter max_depth expects integer input. It is 'x'.");
    EXPECT_EQ(text({{"eta", "x"}}), "Parameter eta expects float input. It is 'x'.");
    EXPECT_EQ(text({{"eta", "2"}}), "Parameter 'eta' should be in range [0,1].");
    EXPECT_EQ(text({{"gamma", "-1"}}), "Parameter 'gamma' should be greater than or equal to 0.");
    EXPECT_EQ(text({{"silent", "2"}}), "Parameter 'silent' should be either '0' or '1'.");
    EXPECT_EQ(text({{"tree_method", "fast"}}),
              "Parameter 'tree_method' should be one of these options: 'auto', 'exact', 'approx', 'hist'.");
    EXPECT_EQ(text({{"objective", "multi:softmax"}}),
              "Require input for parameter 'num_class' for multi classification.");
    EXPECT_EQ(text({{"num_class", "3"}}),
              "Do not need to setup parameter 'num_class' for learning task other than multi classification.");
    EXPECT_EQ(text({{"eval_metric", "[rmse]"}}),
              "Do not expect bracket for input value of 'eval_metric'. Use format as 'A,B,C...'.");
    const auto unknown = Parse({{"max_bin", "64"}}, kLegacy);
    ASSERT_TRUE(unknown.has_value());
    EXPECT_EQ(unknown->warnings,
              std::vector<std::string>{"Hyperparameter 'max_bin' is not known to this image and is ignored."});
    EXPECT_EQ(unknown->train.max_bin, 256);
}

TEST(Hyperparameters, TreeMethodsFollowTheVersionAndTheUpdaters) {
    const auto method = [](const HyperparameterList& list, AlgorithmVersion version) {
        const auto parsed = Parse(list, version);
        EXPECT_TRUE(parsed.has_value());
        return std::pair(parsed->train.tree_method, parsed->train.pruning_rule);
    };
    EXPECT_EQ(method({}, k3_2_0), std::pair(TreeMethod::kHist, PruningRule::kBefore));
    EXPECT_EQ(method({}, k1_7_1), std::pair(TreeMethod::kHist, PruningRule::kBefore));
    EXPECT_EQ(method({{"tree_method", "auto"}}, k1_7_1), std::pair(TreeMethod::kAuto, PruningRule::kBefore));
    EXPECT_EQ(method({{"tree_method", "auto"}}, k3_2_0).first, TreeMethod::kHist);
    EXPECT_EQ(method({{"tree_method", "hist"}}, k1_5_1), std::pair(TreeMethod::kHist, PruningRule::kAfterwards));
    EXPECT_EQ(method({{"tree_method", "approx"}}, kLegacy), std::pair(TreeMethod::kApprox, PruningRule::kAfterwards));
    EXPECT_EQ(method({{"updater", "grow_colmaker,prune"}}, k3_2_0), std::pair(TreeMethod::kExact, PruningRule::kNever));
    EXPECT_EQ(Parse({{"updater", "grow_colmaker,prune,refresh"}}, k3_2_0)->train.tree_steps,
              (std::vector{TreeStep::kPrune, TreeStep::kRefresh}));
    EXPECT_EQ(method({{"updater", "grow_histmaker"}}, k1_5_1).second, PruningRule::kNever);
    EXPECT_EQ(method({{"updater", "grow_histmaker"}}, k1_7_1).second, PruningRule::kBefore);
    EXPECT_EQ(method({{"updater", "grow_colmaker"}}, k3_2_0), std::pair(TreeMethod::kExact, PruningRule::kNever));
    EXPECT_EQ(method({{"updater", "grow_histmaker"}}, k1_0_1).first, TreeMethod::kApprox);
    EXPECT_TRUE(TextOf({{"updater", "prune"}}).starts_with("Updater: `prune` can not be used to create new trees"));
    EXPECT_TRUE(TextOf({{"updater", "sync"}}).starts_with("Hyperparameter updater: none of those named grows trees"));
    EXPECT_TRUE(TextOf({{"updater", "distcol"}}).starts_with("Unknown tree updater distcol"));
    EXPECT_EQ(TextOf({{"updater", "distcol"}}, k1_0_1), "accepted");
    const HyperparameterList bynode = {{"tree_method", "exact"}, {"colsample_bynode", "0.5"}};
    EXPECT_TRUE(TextOf(bynode).starts_with("column sample by node is not yet supported by the exact tree method"));
    const HyperparameterList by_gradient = {{"subsample", "0.5"}, {"sampling_method", "gradient_based"}};
    EXPECT_EQ(TextOf(by_gradient), "accepted");
    EXPECT_TRUE(TextOf(by_gradient, k1_7_1).starts_with("Only uniform sampling is supported"));
}

TEST(Hyperparameters, ConstraintsAreRead) {
    const auto parsed = Parse({{"tree_method", "hist"},
                               {"monotone_constraints", "(1, 0,-1)"},
                               {"interaction_constraints", "[[0, 2], [1,3,4],[5]]"}});
    ASSERT_TRUE(parsed.has_value()) << parsed.error().ToString();
    EXPECT_EQ(parsed->train.monotone_constraints, (std::vector<std::int8_t>{1, 0, -1}));
    EXPECT_EQ(parsed->train.interaction_constraints, (std::vector<std::vector<std::uint32_t>>{{0, 2}, {1, 3, 4}, {5}}));
    for (const char* text : {"[1,2]", "[[1,2]", "[[1],2]", "[[1]3]"}) {
        EXPECT_NE(TextOf({{"interaction_constraints", text}, {"tree_method", "hist"}}), "accepted") << text;
    }
    EXPECT_NE(TextOf({{"monotone_constraints", "(1,(0))"}, {"tree_method", "hist"}}), "accepted");
}

TEST(Hyperparameters, WhatThisBuildDoesNotTrainEndsTheJob) {
    for (const auto& [name, value] : HyperparameterList{{"tree_method", "gpu_hist"}, {"dsplit", "col"}}) {
        const std::string text = TextOf({{name, value}});
        EXPECT_NE(text.find("is not implemented by this build yet"), std::string::npos) << name << ": " << text;
    }
    // Listed by the images by mistake.
    EXPECT_NE(TextOf({{"objective", "aft_loss_distribution"}}).find("Use one of: binary:hinge"), std::string::npos);
}

TEST(Hyperparameters, WhatHasNoEffectWarns) {
    const auto parsed = Parse({{"rate_drop", "0.5"}, {"sketch_eps", "0.1"}, {"num_class", "3"}});
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->warnings.size(), 3U);
}

TEST(Hyperparameters, AliasesCount) {
    const auto parsed =
        Parse({{"learning_rate", "0.1"}, {"reg_lambda", "2"}, {"reg_alpha", "3"}, {"min_split_loss", "4"}});
    ASSERT_TRUE(parsed.has_value());
    EXPECT_FLOAT_EQ(parsed->train.eta, 0.1F);
    EXPECT_FLOAT_EQ(parsed->train.lambda, 2);
    EXPECT_FLOAT_EQ(parsed->train.alpha, 3);
    EXPECT_FLOAT_EQ(parsed->train.gamma, 4);
    EXPECT_EQ(TextOf({{"learning_rate", "0.1"}}, k0_90_1),
              "Extraneous hyperparameter found: learning_rate. Image version 0.90-1 does not know it. Remove it.");
}

TEST(Hyperparameters, WhatNoImageTakesIsTakenWhereNoneIsImitated) {
    const HyperparameterList list = {{"num_round", "1"},
                                     {"objective", "reg:quantileerror"},
                                     {"quantile_alpha", "[0.1, 0.9]"},
                                     {"eval_metric", "quantile"}};
    VersionProfile profile = ProfileOf(k3_2_0);
    EXPECT_FALSE(ParseHyperparameters(list, profile).has_value());
    profile.engine_names = true;
    const auto parsed = ParseHyperparameters(list, profile);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
    EXPECT_EQ(parsed->train.quantile_alphas, (std::vector<float>{0.1F, 0.9F}));
    EXPECT_EQ(parsed->train.num_groups(), 2);
    const HyperparameterList categories = {{"num_round", "1"}, {"max_cat_to_onehot", "7"}, {"max_cat_threshold", "9"}};
    EXPECT_FALSE(ParseHyperparameters(categories, ProfileOf(k3_2_0)).has_value());
    EXPECT_EQ(ParseHyperparameters(categories, profile)->train.max_cat_to_onehot, 7);
    EXPECT_EQ(ParseHyperparameters(categories, profile)->train.max_cat_threshold, 9);
    EXPECT_EQ(ParseHyperparameters({{"num_round", "1"}, {"max_cat_threshold", "0"}}, profile).error().message(),
              "Hyperparameter max_cat_threshold: 0 is not in [1, +inf)");
    EXPECT_FALSE(
        ParseHyperparameters({{"num_round", "1"}, {"objective", "reg:quantileerror"}, {"quantile_alpha", "2"}}, profile)
            .has_value());
}

TEST(Hyperparameters, ObjectivesTakeTheirParameters) {
    const auto poisson = Parse({{"objective", "count:poisson"}});
    EXPECT_FLOAT_EQ(poisson->train.max_delta_step, 0.7F);
    EXPECT_FLOAT_EQ(Parse({{"objective", "count:poisson"}, {"max_delta_step", "2"}})->train.max_delta_step, 2);
    EXPECT_FLOAT_EQ(Parse({{"objective", "reg:gamma"}})->train.max_delta_step, 0);
    const auto tweedie = Parse({{"objective", "reg:tweedie"}, {"tweedie_variance_power", "1.2"}});
    EXPECT_FLOAT_EQ(tweedie->train.tweedie_variance_power, 1.2F);
    EXPECT_TRUE(tweedie->warnings.empty());
    const auto aft = Parse({{"objective", "survival:aft"}, {"aft_loss_distribution", "extreme"}});
    EXPECT_EQ(aft->train.aft_loss_distribution, "extreme");
    EXPECT_TRUE(aft->warnings.empty());
    EXPECT_EQ(Parse({{"objective", "rank:map"}, {"scale_pos_weight", "2"}})->warnings.size(), 1U);
}

TEST(Hyperparameters, TheTuningMetricIsWatched) {
    const auto parsed = Parse({{"objective", "binary:logistic"},
                               {"eval_metric", "logloss,error"},
                               {"_tuning_objective_metric", "validation:auc"},
                               {"early_stopping_rounds", "5"}});
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
    EXPECT_EQ(parsed->train.eval_metrics, (std::vector<std::string>{"auc", "error", "logloss"}));
    EXPECT_EQ(parsed->train.early_stopping_metric, "auc");
}

TEST(HyperparameterTable, NamesAppearWithTheirVersions) {
    EXPECT_EQ(FindRule("monotone_constraints", ProfileOf(k0_90_2)), nullptr);
    EXPECT_NE(FindRule("monotone_constraints", ProfileOf(k1_0_1)), nullptr);
    EXPECT_EQ(FindRule("silent", ProfileOf(k1_2_1)), nullptr);
    EXPECT_NE(FindRule("single_precision_histogram", ProfileOf(k1_5_1)), nullptr);
    EXPECT_EQ(FindRule("single_precision_histogram", ProfileOf(k1_7_1)), nullptr);
    EXPECT_EQ(FindRule("predictor", ProfileOf(k1_0_1))->values.size(), 1U);
    EXPECT_EQ(FindRule("tree_method", ProfileOf(k1_2_1))->values.size(), 5U);
}

TEST(PythonText, NumbersAsPythonReadsThem) {
    EXPECT_EQ(ParsePythonInt(" 5 "), 5);
    EXPECT_EQ(ParsePythonInt("1_0"), 10);
    EXPECT_EQ(ParsePythonInt("+7"), 7);
    EXPECT_EQ(ParsePythonInt("-7"), -7);
    for (const char* bad : {"", "5.0", "1__0", "_1", "+-1", "0x10", "99999999999999999999"}) {
        EXPECT_FALSE(ParsePythonInt(bad).has_value()) << bad;
    }
    EXPECT_EQ(ParsePythonFloat("1e-3"), 0.001);
    EXPECT_EQ(ParsePythonFloat(" .5 "), 0.5);
    EXPECT_EQ(ParsePythonFloat("-Infinity"), -std::numeric_limits<double>::infinity());
    for (const char* bad : {"", "x", "1e", "--1", "1,5"}) EXPECT_FALSE(ParsePythonFloat(bad).has_value()) << bad;
    EXPECT_EQ(PythonRepr(2.0), "2.0");
    EXPECT_EQ(PythonRepr(1e-5), "1e-05");
    EXPECT_EQ(PythonRepr(1e16), "1e+16");
    EXPECT_EQ(PythonRepr(0.1), "0.1");
}

}  // namespace
}  // namespace espalier::learn
