// From a user's strings to typed parameters, by the rules and with the texts of the image that was asked for.
//
// Steps (later images): aliases -> required names -> in user order: unknown name, then parse -> range -> rules between
// parameters -> what this build does not train yet. The 0.72 image ignores unknown names; they become warnings.
// Nothing is ignored silently: a parameter that is accepted but without effect gives a warning.
// Source: contracts/xgboost.md 1.1-1.4 (aws/sagemaker-xgboost-container, hyperparameter_validation.py of each release).
// Pinned by hyperparameters_test.cc. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/version_profile.h"
#include "learn/train_params.h"

namespace espalier::learn {

/// Names and values as the user wrote them, in the user's order.
using HyperparameterList = std::vector<std::pair<std::string, std::string>>;

struct Hyperparameters {
    TrainParams train;
    bool csv_weights = false;
    int num_threads = 0;        ///< nthread; 0: not given
    bool prints_trees = false;  ///< a log line per tree: silent=0 on old images, verbosity >= 2 on later ones
    bool eval_metric_given = false;
    int num_folds = 0;                  ///< _kfold; 0: no cross-validation
    int num_fold_repeats = 1;           ///< _num_cv_round
    bool saves_on_termination = false;  ///< the model file is overwritten after each round
    std::vector<std::string> warnings;  ///< for the log
};

/// kInvalidArgument with the image's own text, or with ours for what this build does not do yet.
Result<Hyperparameters> ParseHyperparameters(const HyperparameterList& list, const VersionProfile& profile);

}  // namespace espalier::learn
