// The trainer: from labelled rows on every rank to one model.
//
// Steps: features and weights agreed -> exact summaries merged over ranks -> cuts, layout, bins -> labels checked,
// intercept -> rounds: gradients, scales, trees (learn/tree_grower.h), margins updated from leaf membership, metrics,
// report -> stop when rounds are done, when no metric improves (early stopping), or when any rank was told to stop.
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
#include "data/feature_rows.h"
#include "learn/train_params.h"
#include "learn/tree_grower.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

struct DataSet {
    std::string name;  ///< "train", "validation": the metric's prefix
    data::LabeledRows labeled;
    /// Where the rows are among those of all ranks. Empty: one rank, rows in their order.
    std::vector<RowSegment> segments;
};

struct MetricValue {
    std::string data_set;
    std::string metric;
    double value = 0;
};

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
    int num_rounds_done = 0;
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
    bool modern_defaults = true;  ///< default metrics as from xgboost 1.3 on
};

/// A label that cannot be, in this rank's rows; the caller knows which file and line the row came from.
struct BadLabel {
    std::size_t data_set = 0;
    std::size_t row = 0;
    float label = 0;
    std::string rule;
};

/// data_sets[0] is trained on; all are evaluated. The rows' values are released while training goes on, labels and
/// weights stay. kInvalidArgument for labels (then `bad_label`, if given, tells where on this rank), for a validation
/// set with more features than the training set, for parameters that do not fit; kCancelled when another rank has such
/// a label; kUnavailable when a rank is lost; kInternal when ranks differ.
Result<TrainOutcome> Train(const TrainParams& params, std::vector<DataSet>& data_sets, const TrainContext& context,
                           BadLabel* bad_label = nullptr);

}  // namespace espalier::learn
