// Folds of a cross-validation, and what it writes.
//
// Nouns: repeat (one partition of all rows into k folds), fold (the rows left out of one training). Rows are those of
// the training set, then those of the validation set. Folds are drawn by (seed, repeat, row), so a job gives the same
// ones again. Source: contracts/xgboost.md 2.7; scikit-learn's KFold and StratifiedKFold with shuffle=True, whose sizes
// these are. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "collective/comm.h"
#include "data/feature_rows.h"
#include "learn/trainer.h"

namespace espalier::learn {

/// fold[row] in [0, num_folds). Sizes differ by at most one; with `by_label` the rows of each label are spread evenly
/// as well. kInvalidArgument, in scikit-learn's words, when there are too few rows for so many folds.
Result<std::vector<int>> DrawFolds(std::span<const float> labels, int num_folds, bool by_label, std::int64_t seed,
                                   int repeat);

/// The rows of both whose fold is `fold` (keep = true) or is not; folds: of these rows.
data::LabeledRows TakeRows(const data::LabeledRows& train, const data::LabeledRows& validation,
                           std::span<const int> folds, int fold, bool keep);

/// What the trainings that left a row out said of it, one training per repeat.
class FoldPredictions {
  public:
    /// labels: of all rows. num_groups: of a multi-class objective, else 1. is_class: labels are predicted, with
    /// probabilities; else numbers.
    FoldPredictions(std::vector<float> labels, bool is_class, int num_repeats);

    /// outputs [rows x groups]: probabilities or numbers of these rows.
    void Note(std::span<const std::size_t> rows, int repeat, std::span<const float> outputs);

    /// What all ranks noted, each of its own rows, on every rank.
    Result<void> Share(collective::Comm& comm);

    /// A line per row: "label,mean probability,most frequent class", or "label,mean prediction"; six decimals.
    std::string ToCsv() const;

  private:
    struct Said {
        double value = 0;  ///< probability of the class, or the number
        int label = 0;
    };
    std::vector<float> labels_;
    bool is_class_;
    std::size_t num_repeats_;
    std::vector<Said> said_;  ///< [rows x repeats]
};

/// "[20]\ttrain-rmse:0.50000\tvalidation-rmse:0.70000": means of the last round's metrics over trainings.
std::string MeanMetricsLine(int num_rounds, std::span<const std::vector<MetricValue>> last_rounds);

}  // namespace espalier::learn
