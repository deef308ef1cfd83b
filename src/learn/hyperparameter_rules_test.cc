// Each rule of contracts/xgboost.md 1.2 to 1.4 has a case here, with the image's own text.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "learn/hyperparameters.h"

namespace espalier::learn {
namespace {

using enum AlgorithmVersion;

/// The reason, or "" when the parameters are taken.
std::string ReasonOf(HyperparameterList list, AlgorithmVersion version) {
    list.insert(list.begin(), {"num_round", "10"});
    const auto parsed = ParseHyperparameters(list, ProfileOf(version));
    return parsed.has_value() ? "" : parsed.error().message();
}

struct RangeCase {
    const char* name;
    const char* value;
    const char* text;  ///< after "Hyperparameter <name>: "
};

TEST(RulesOfTheLaterImages, Ranges) {
    const RangeCase cases[] = {
        {"alpha", "-1", "-1.0 is not in [0, +inf)"},
        {"base_score", "-0.5", "-0.5 is not in [0, +inf)"},
        {"booster", "tree", "tree is not in ['gbtree', 'gblinear', 'dart']"},
        {"colsample_bylevel", "0", "0.0 is not in (0, 1]"},
        {"colsample_bynode", "1.5", "1.5 is not in (0, 1]"},
        {"colsample_bytree", "-1e-3", "-0.001 is not in (0, 1]"},
        {"csv_weights", "2", "2 is not in [0, 1]"},
        {"deterministic_histogram", "1", "1 is not in ['true', 'false']"},
        {"dsplit", "both", "both is not in ['row', 'col']"},
        {"early_stopping_rounds", "0", "0 is not in [1, +inf)"},
        {"eta", "2", "2.0 is not in [0, 1]"},
        {"gamma", "-1", "-1.0 is not in [0, +inf)"},
        {"grow_policy", "best", "best is not in ['depthwise', 'lossguide']"},
        {"lambda", "-0.1", "-0.1 is not in [0, +inf)"},
        {"lambda_bias", "1.1", "1.1 is not in [0, 1]"},
        {"max_bin", "-1", "-1 is not in [0, +inf)"},
        {"max_delta_step", "-1", "-1.0 is not in [0, +inf)"},
        {"max_depth", "-1", "-1 is not in [0, +inf)"},
        {"max_leaves", "-1", "-1 is not in [0, +inf)"},
        {"min_child_weight", "-1", "-1.0 is not in [0, +inf)"},
        {"normalize_type", "none", "none is not in ['tree', 'forest']"},
        {"nthread", "0", "0 is not in [1, +inf)"},
        {"num_class", "1", "1 is not in [2, +inf)"},
        {"num_parallel_tree", "0", "0 is not in [1, +inf)"},
        {"num_round", "0", "0 is not in [1, +inf)"},
        {"one_drop", "2", "2 is not in [0, 1]"},
        {"predictor", "gpu", "gpu is not in ['auto', 'cpu_predictor', 'gpu_predictor']"},
        {"prob_buffer_row", "1", "1.0 is not in (1, +inf)"},
        {"process_type", "refresh", "refresh is not in ['default', 'update']"},
        {"rate_drop", "1.1", "1.1 is not in [0, 1]"},
        {"refresh_leaf", "2", "2 is not in [0, 1]"},
        {"sample_type", "all", "all is not in ['uniform', 'weighted']"},
        {"sampling_method", "all", "all is not in ['uniform', 'gradient_based']"},
        {"save_model_on_termination", "yes", "yes is not in ['true', 'false']"},
        {"scale_pos_weight", "0", "0.0 is not in (0, +inf)"},
        {"seed", "2147483647", "2147483647 is not in (-2147483648, 2147483647)"},
        {"sketch_eps", "1", "1.0 is not in (0, 1)"},
        {"skip_drop", "-0.1", "-0.1 is not in [0, 1]"},
        {"subsample", "0", "0.0 is not in (0, 1]"},
        {"tree_method", "fast", "fast is not in ['auto', 'exact', 'approx', 'hist', 'gpu_hist']"},
        {"tweedie_variance_power", "2", "2.0 is not in (1, 2)"},
        {"use_dask_gpu_training", "1", "1 is not in ['true', 'false']"},
        {"verbosity", "4", "4 is not in [0, 3]"},
        {"monotone_constraints", "(2,0)", "value (2,0) not in range [-1, 0, 1]"},
        {"interaction_constraints", "[[-1,2]]", "value [[-1,2]] not in range [0, +inf)"},
        {"_kfold", "1", "1 is not in [2, +inf)"},
        {"_num_cv_round", "0", "0 is not in [1, +inf)"},
    };
    for (const RangeCase& c : cases) {
        EXPECT_EQ(ReasonOf({{c.name, c.value}}, k3_2_0), fmt::format("Hyperparameter {}: {}", c.name, c.text));
    }
    EXPECT_EQ(ReasonOf({{"_nfold", "1"}}, k1_2_1), "Hyperparameter _nfold: 1 is not in [2, +inf)");
    EXPECT_EQ(ReasonOf({{"silent", "2"}}, k1_0_1), "Hyperparameter silent: 2 is not in [0, 1]");
    EXPECT_EQ(ReasonOf({{"single_precision_histogram", "1"}}, k1_5_1),
              "Hyperparameter single_precision_histogram: 1 is not in ['true', 'false']");
    EXPECT_EQ(ReasonOf({{"predictor", "gpu_predictor"}}, k1_0_1),
              "Hyperparameter predictor: gpu_predictor is not in ['cpu_predictor']");
    EXPECT_EQ(ReasonOf({{"aft_loss_distribution", "gumbel"}}, k3_2_0),
              "Hyperparameter aft_loss_distribution: gumbel is not in ['normal', 'logistic', 'extreme']");
    EXPECT_EQ(ReasonOf({{"aft_loss_distribution_scale", "-1"}}, k3_2_0),
              "Hyperparameter aft_loss_distribution_scale: -1.0 is not in [0, +inf)");
}

TEST(RulesOfTheLaterImages, WhatIsNoNumber) {
    for (const char* name :
         {"_kfold", "_num_cv_round", "csv_weights", "early_stopping_rounds", "max_bin", "max_depth", "max_leaves",
          "nthread", "num_class", "num_parallel_tree", "one_drop", "refresh_leaf", "seed", "verbosity"}) {
        for (const char* value : {"5.0", "five", ""}) {
            EXPECT_EQ(ReasonOf({{name, value}}, k3_2_0),
                      fmt::format("Hyperparameter {}: could not parse value (caused by ValueError)", name));
        }
    }
    EXPECT_EQ(ReasonOf({{"monotone_constraints", "(1,0"}}, k3_2_0),
              "Hyperparameter monotone_constraints: could not parse value (caused by ValueError)");
    EXPECT_EQ(ReasonOf({{"interaction_constraints", "[[1,a]]"}}, k3_2_0),
              "Hyperparameter interaction_constraints: could not parse value (caused by ValueError)");
    // Python's int() and float() take blanks and underscores.
    EXPECT_EQ(ReasonOf({{"max_depth", " 5 "}, {"num_parallel_tree", "1_0"}, {"eta", " 1e-1"}}, k3_2_0), "");
    EXPECT_EQ(ReasonOf({{"eta", "nan"}}, k3_2_0), "Hyperparameter eta: nan is not in [0, 1]")
        << "upstream lets it pass";
    for (const char* name : {"alpha", "base_score", "colsample_bylevel", "colsample_bynode", "colsample_bytree", "eta",
                             "gamma", "lambda", "max_delta_step", "min_child_weight", "rate_drop", "scale_pos_weight",
                             "skip_drop", "subsample", "tweedie_variance_power"}) {
        EXPECT_EQ(ReasonOf({{name, "1,5"}}, k3_2_0),
                  fmt::format("Hyperparameter {}: could not parse value (caused by ValueError)", name));
    }
}

TEST(RulesOfTheLaterImages, WhichImageKnowsWhat) {
    struct Known {
        const char* name;
        const char* value;
        AlgorithmVersion from;
        AlgorithmVersion to;
    };
    const Known names[] = {
        {"silent", "1", k0_90_1, k1_0_1},
        {"num_parallel_tree", "1", k0_90_2, k3_2_0},
        {"save_model_on_termination", "true", k1_0_1, k3_2_0},
        {"deterministic_histogram", "true", k1_2_1, k3_2_0},
        {"single_precision_histogram", "false", k1_2_1, k1_5_1},
        {"sampling_method", "uniform", k1_3_1, k3_2_0},
        {"prob_buffer_row", "2", k1_3_1, k3_2_0},
        {"use_dask_gpu_training", "false", k1_7_1, k3_2_0},
        {"_kfold", "3", k1_2_2, k3_2_0},
        {"_nfold", "3", k1_2_1, k1_2_1},
        {"learning_rate", "0.1", k0_90_2, k3_2_0},
        {"verbosity", "1", k0_90_1, k3_2_0},
    };
    for (const Known& known : names) {
        for (const AlgorithmVersion version :
             {k0_90_1, k0_90_2, k1_0_1, k1_2_1, k1_2_2, k1_3_1, k1_5_1, k1_7_1, k3_0_5, k3_2_0}) {
            const std::string reason = ReasonOf({{known.name, known.value}}, version);
            const bool knows = version >= known.from && version <= known.to;
            EXPECT_EQ(reason.empty(), knows) << known.name << " in " << ToString(version) << ": " << reason;
            if (!knows) {
                EXPECT_TRUE(reason.starts_with(fmt::format("Extraneous hyperparameter found: {}", known.name)))
                    << reason;
            }
        }
    }
}

struct Case {
    HyperparameterList list;
    const char* text;
    AlgorithmVersion version = k3_2_0;
};

TEST(RulesOfTheLaterImages, BetweenParameters) {
    constexpr const char* kTreeUpdaters =
        "Tree updater should be selected from these options: 'grow_colmaker', 'distcol', 'grow_histmaker', "
        "'grow_skmaker', 'grow_quantile_histmaker', 'sync', 'refresh', 'prune', 'shortgun', 'coord_descent'.";
    const Case cases[] = {
        {{{"objective", "multi:softmax"}}, "Require input for parameter 'num_class' for multi-classification"},
        {{{"objective", "multi:softprob"}}, "Require input for parameter 'num_class' for multi-classification"},
        {{{"booster", "gblinear"}, {"updater", "grow_colmaker"}},
         "Linear updater should be one of these options: 'shotgun', 'coord_descent'."},
        {{{"booster", "gblinear"}, {"updater", "shotgun,coord_descent"}},
         "Linear updater should be one of these options: 'shotgun', 'coord_descent'."},
        {{{"process_type", "update"}, {"updater", "grow_colmaker"}},
         "process_type 'update' can only be used with updater 'refresh' and 'prune'"},
        {{{"updater", "shotgun"}}, kTreeUpdaters},
        {{{"updater", "grow_colmaker,grow_histmaker"}},
         "Only one tree grow plugin can be selected. Choose one from thefollowing: 'grow_colmaker', 'distcol', "
         "'grow_histmaker', 'grow_skmaker'"},
        {{{"updater", "foo"}},
         "Hyperparameter updater: value ['foo'] not in range ['grow_colmaker', 'distcol', 'grow_histmaker', "
         "'grow_skmaker', 'sync', 'refresh', 'prune', 'shotgun', 'coord_descent']",
         k1_7_1},
        {{{"eval_metric", "<function mine at 0x7f>"}},
         "User defined evaluation metric <function mine at 0x7f> is not supported yet."},
        {{{"eval_metric", "rmse@2"}},
         "Metric 'rmse@2' is not supported. Parameter 'eval_metric' with customized threshold should be one of these "
         "options: 'error', 'ndcg', 'map'."},
        {{{"objective", "binary:logistic"}, {"eval_metric", "error@x"}},
         "Threshold value 't' in 'error@t' expects float input."},
        {{{"objective", "rank:ndcg"}, {"eval_metric", "ndcg@10-"}},
         "Threshold value 't' in 'ndcg@t' expects float input."},
        {{{"objective", "reg:squarederror"}, {"eval_metric", "auc"}},
         "Metric 'auc' can only be applied for classification and ranking problems."},
        {{{"objective", "multi:softmax"}, {"num_class", "3"}, {"eval_metric", "auc"}},
         "Metric 'auc' can only be applied for classification and ranking problems."},
        {{{"objective", "binary:logistic"}, {"eval_metric", "aft-nloglik"}},
         "Metric 'aft-nloglik' can only be applied for 'survival:aft' objective."},
        {{{"monotone_constraints", "(1,0)"}},
         "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'."},
        {{{"monotone_constraints", "(1,0)"}, {"tree_method", "approx"}},
         "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'."},
        {{{"interaction_constraints", "[[1,2]]"}, {"tree_method", "auto"}},
         "interaction_constraints can be used only when the tree_method parameter is set to either 'exact', 'hist' or "
         "'approx'."},
        {{{"eval_metric", "foo"}},
         "Hyperparameter eval_metric: value ['foo'] not in range ['accuracy', 'auc', 'aucpr', 'cox-nloglik', 'f1', "
         "'gamma-nloglik', 'map', 'ndcg', 'poisson-nloglik', 'tweedie-nloglik', 'error', 'gamma-deviance', 'logloss', "
         "'mae', 'merror', 'mlogloss', 'mse', 'rmse']",
         k0_90_1},
        {{{"objective", "reg:absoluteerror"}},
         "Hyperparameter objective: reg:absoluteerror is not in ['binary:logistic', 'binary:logitraw', 'binary:hinge', "
         "'count:poisson', 'multi:softmax', 'multi:softprob', 'rank:pairwise', 'rank:ndcg', 'rank:map', 'reg:linear', "
         "'reg:squarederror', 'reg:logistic', 'reg:gamma', 'reg:tweedie', 'survival:cox']",
         k0_90_2},
        {{{"_tuning_objective_metric", "train:rmse"}},
         "Hyperparameter _tuning_objective_metric: train:rmse is not in ['validation:accuracy', 'validation:auc', "
         "'validation:aucpr', 'validation:cox-nloglik', 'validation:f1', 'validation:gamma-nloglik', 'validation:map', "
         "'validation:ndcg', 'validation:poisson-nloglik', 'validation:tweedie-nloglik', 'validation:error', "
         "'validation:gamma-deviance', 'validation:logloss', 'validation:mae', 'validation:merror', "
         "'validation:mlogloss', 'validation:mse', 'validation:rmse']",
         k0_90_1},
    };
    for (const Case& c : cases) EXPECT_EQ(ReasonOf(c.list, c.version), c.text);
    // Upstream's converse rule is dead code, and an objective left out is its default instead of a KeyError.
    EXPECT_EQ(ReasonOf({{"objective", "reg:squarederror"}, {"num_class", "3"}}, k3_2_0), "");
    EXPECT_EQ(ReasonOf({{"eval_metric", "mae"}}, k3_2_0), "");
    EXPECT_EQ(ReasonOf({{"tree_method", "gpu_hist"}}, k1_0_1), "GPU training is not supported yet.");
    EXPECT_EQ(ParseHyperparameters({}, ProfileOf(k3_2_0)).error().message(),
              "Missing required hyperparameter: num_round");
}

TEST(RulesOfTheOldestImage, Texts) {
    const Case cases[] = {
        {{{"max_depth", "x"}}, "Parameter max_depth expects integer input. It is 'x'."},
        {{{"subsample", "x"}}, "Parameter subsample expects float input. It is 'x'."},
        {{{"eta", "2"}}, "Parameter 'eta' should be in range [0,1]."},
        {{{"gamma", "-1"}}, "Parameter 'gamma' should be greater than or equal to 0."},
        {{{"max_depth", "-1"}}, "Parameter 'max_depth' should be greater than or equal to 0."},
        {{{"min_child_weight", "-1"}}, "Parameter 'min_child_weight' should be greater than or equal to 0."},
        {{{"max_delta_step", "-1"}}, "Parameter 'max_delta_step' should be greater than or equal to 0."},
        {{{"subsample", "0"}}, "Parameter 'subsample' should be in range (0,1]."},
        {{{"colsample_bytree", "1.5"}}, "Parameter 'colsample_bytree' should be in range (0,1]."},
        {{{"colsample_bylevel", "0"}}, "Parameter 'colsample_bylevel' should be in range (0,1]."},
        {{{"silent", "2"}}, "Parameter 'silent' should be either '0' or '1'."},
        {{{"refresh_leaf", "2"}}, "Parameter 'refresh_leaf' should be either '0' or '1'."},
        {{{"csv_weights", "2"}}, "Parameter 'csv_weights' should be either '0' or '1'."},
        {{{"nthread", "0"}}, "Parameter 'nthread' should be greater or equal to 1."},
        {{{"sketch_eps", "1"}}, "Parameter 'sketch_eps' should be in range (0,1)."},
        {{{"tweedie_variance_power", "1"}}, "Parameter 'tweedie_variance_power' should be in range (1,2)."},
        {{{"rate_drop", "2"}}, "Parameter 'rate_drop' should be in range [0,1]."},
        {{{"tree_method", "fast"}},
         "Parameter 'tree_method' should be one of these options: 'auto', 'exact', 'approx', 'hist'."},
        {{{"booster", "tree"}}, "Parameter 'booster' should be one of these options: 'gbtree', 'gblinear', 'dart'."},
        {{{"objective", "rank:ndcg"}},
         "Parameter 'objective' should be one of these options: 'reg:linear', 'reg:logistic', 'binary:logistic', "
         "'binary:logitraw', 'count:poisson', 'multi:softmax', 'multi:softprob', 'rank:pairwise', 'reg:gamma', "
         "'reg:tweedie'."},
        {{{"objective", "multi:softmax"}}, "Require input for parameter 'num_class' for multi classification."},
        {{{"num_class", "3"}},
         "Do not need to setup parameter 'num_class' for learning task other than multi classification."},
        {{{"objective", "multi:softmax"}, {"num_class", "1"}},
         "Parameter 'num_class' should be greater or equal to 2."},
        {{{"eval_metric", "foo"}},
         "Metric 'foo' is not supported. Parameter 'eval_metric' should be one of these options:'rmse', 'mae', "
         "'logloss', 'error', 'merror', 'mlogloss', 'auc', 'ndcg', 'map', 'poisson-nloglik', 'gamma-nloglik', "
         "'gamma-deviance', 'tweedie-nloglik'."},
        {{{"objective", "reg:linear"}, {"eval_metric", "auc"}},
         "Metric 'auc' can only be applied for classification and ranking problem."},
        {{{"eval_metric", "[rmse]"}},
         "Do not expect bracket for input value of 'eval_metric'. Use format as 'A,B,C...'."},
        {{{"updater", "[prune]"}}, "Do not expect bracket for input value of 'updater'. Use format as 'A,B,C...'."},
    };
    for (const Case& c : cases) EXPECT_EQ(ReasonOf(c.list, kLegacy), c.text);
    EXPECT_EQ(ParseHyperparameters({}, ProfileOf(kLegacy)).error().message(), "Require input for parameter num_round");
    EXPECT_EQ(ReasonOf({{"objective", "reg:logistic"}, {"eval_metric", "auc"}}, kLegacy), "");
    EXPECT_EQ(ReasonOf({{"max_bin", "-5"}, {"anything", "x"}}, kLegacy), "") << "unknown names are ignored, aloud";
}

}  // namespace
}  // namespace espalier::learn
