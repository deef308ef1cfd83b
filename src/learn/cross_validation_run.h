// A training instance's k-fold cross-validation: k trainings a repeat, each without one fold.
//
// Writes <root>/model/xgboost-model-<i> for each training and <root>/output/data/predictions.csv, and the log lines of
// the images. Every training is evaluated on the whole train and validation sets, as the images do.
// Several instances: folds are drawn over the rows of all, by their places in the job, so models and predictions do not
// depend on how the rows are shared out; rank 0 writes. With a start model each training goes on from it.
// Source: contracts/xgboost.md 2.7. Runs on the calling thread and the team.
#pragma once

#include <atomic>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "learn/hyperparameters.h"
#include "learn/trainer.h"
#include "learn/training_log.h"

namespace espalier::learn {

struct CrossValidationInput {
    const Hyperparameters& parameters;
    const std::string& root;
    std::span<const std::string> hosts;
    const TrainingStart* start;  ///< null: none
    WorkerTeam& team;
    collective::Comm& comm;
    const std::atomic<bool>* stop = nullptr;
};

/// sets: train, and validation if there is one, with their segments when there are several ranks. Every rank calls it.
/// Train's errors, and DrawFolds'. A stop ends it after the training under
/// way, with what is done so far.
Result<void> RunCrossValidation(const CrossValidationInput& input, const std::vector<DataSet>& sets, TrainingLog& log,
                                BadRow* bad_row);

}  // namespace espalier::learn
