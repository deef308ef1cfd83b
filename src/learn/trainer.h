// The trainer: from labelled rows on every rank to one model.
//
// Steps: labels checked, rows agreed on and binned (learn/prepared_data.h) -> intercept -> rounds: the booster makes
// the model better (learn/booster.h), metrics (learn/evaluation.h), report -> stop when rounds are done, when no metric
// improves (learn/early_stopping.h), or when any rank was told to stop.
// Every few rounds ranks compare a hash of the trees and stop loudly if they differ.
// Every rank calls Train with the same parameters and gets the same model.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "learn/evaluation.h"
#include "learn/prepared_data.h"
#include "learn/train_params.h"
#include "learn/training_start.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

struct RoundReport {
    int round = 0;
    std::vector<MetricValue> metrics;  ///< train's first, then the others', in configured order
    std::span<const model::Tree> trees;
};

struct StageSeconds {
    double cuts = 0;
    double bins = 0;
    double rounds = 0;
};

struct TrainOutcome {
    model::TreeEnsemble model;
    int num_rounds_done = 0;       ///< of the job, those before a checkpoint included
    bool stopped_early = false;    ///< by early stopping
    bool stopped_by_flag = false;  ///< by `stop`
    int best_round = 0;            ///< of early stopping; else the last
    double best_score = 0;
    std::string watched_metric;  ///< of early stopping
    StageSeconds seconds;
    std::uint64_t bytes_sent = 0;
    std::size_t bin_memory_bytes = 0;
};

struct TrainContext {
    WorkerTeam& team;
    collective::Comm& comm;
    const std::atomic<bool>* stop = nullptr;  ///< set: finish the round and keep the model so far
    std::function<void(const RoundReport&)> on_round = {};
    BinOptions bins = {};
    /// Called once before the first round.
    std::function<void(const PreparedData&)> on_prepared = {};
    const TrainingStart* start = nullptr;
    bool evaluates_training_set = true;  ///< false: only the sets after the first
    /// After on_round: the model so far, from which a job can go on. rounds are counted over the job's own.
    std::function<void(int round, const model::TreeEnsemble&)> on_model = {};
};

/// data_sets[0] is trained on; all are evaluated. The rows' values are released while training goes on, labels and
/// weights stay. kInvalidArgument for labels (then `bad_row`, if given, tells where on this rank), for a validation
/// set with more features than the training set, for a start model that does not fit, for parameters that do not fit;
/// kCancelled when another rank has such a label; kUnavailable when a rank is lost; kInternal when ranks differ.
Result<TrainOutcome> Train(const TrainParams& params, std::vector<DataSet>& data_sets, const TrainContext& context,
                           BadRow* bad_row = nullptr);

}  // namespace espalier::learn
