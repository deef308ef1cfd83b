// Early stopping: which round was the best, and when to give up waiting for a better one.
//
// The last metric of the last data set is watched, or the one that params.early_stopping_metric names. Up to xgboost
// 1.2 the whole model is kept and training data will do; from 1.3 on validation data and an explicit metric are needed
// and the model is cut after its best round (contracts/xgboost.md 3.3). Thread-compatible.
#pragma once

#include <span>
#include <string>

#include "learn/metrics.h"
#include "learn/train_params.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

class EarlyStopping {
  public:
    /// watched: the metrics of the last of num_sets data sets. rounds_before: those of an imported model, which the
    /// job's own rounds follow.
    EarlyStopping(const TrainParams& params, std::size_t num_sets, std::span<const std::unique_ptr<Metric>> watched,
                  int rounds_before);

    bool active() const { return rounds_ > 0; }
    /// Goes on from what Note wrote into a checkpoint's model.
    void Restore(const model::TreeEnsemble& model);
    /// Takes the watched data set's metrics of a round (of the job, from 0); true when waiting has been long enough.
    bool StopsAfter(int round, std::span<const double> values);
    /// Whether waiting was long enough after `round`; for a checkpoint of the last one.
    bool IsDue(int round) const { return active() && any_round_ && round - best_round_ >= rounds_; }

    int best_round() const { return best_round_; }
    double best_score() const { return best_score_; }
    const std::string& metric() const { return metric_; }

    /// best_iteration and best_score into the model's attributes.
    void Note(model::TreeEnsemble& model) const;
    /// Cuts off the rounds after the best where the images do.
    void CutModel(model::TreeEnsemble& model) const;

  private:
    int rounds_ = 0;  ///< 0: off
    bool cuts_model_ = false;
    std::size_t metric_idx_ = 0;
    std::string metric_;
    bool maximize_ = false;
    int rounds_before_ = 0;
    bool any_round_ = false;
    int best_round_ = 0;
    double best_score_ = 0;
};

}  // namespace espalier::learn
