// The rows of all data sets made ready for the rounds.
//
// Steps: labels checked, features, rows and weights agreed on by all ranks -> exact summaries merged over ranks -> cut
// points, layout, bins. Nouns: set (the rows of one channel on this rank), margins (what the model so far says of each
// row). Every rank calls the functions in the same order. Confined to the trainer's thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "data/binned_matrix.h"
#include "data/compact_rows.h"
#include "learn/binned_cache.h"
#include "learn/objective.h"
#include "learn/train_params.h"
#include "learn/tree_grower.h"

namespace espalier::learn {

struct DataSet {
    std::string name;  ///< "train", "validation": the metric's prefix
    data::TrainingRows labeled;
    /// Where the rows are among those of all ranks. Empty: one rank, rows in their order.
    std::vector<RowSegment> segments;
    /// survival:aft: the time lies between the label and this; infinite when no end was seen. Empty: signed labels say
    /// it (survival_loss.h). As many as rows, none below its label.
    std::vector<float> label_upper_bounds = {};
};

/// A label or weight that cannot be, in this rank's rows; the caller knows which file and line the row came from.
struct BadRow {
    std::size_t data_set = 0;
    std::size_t row = 0;
    float label = 0;
    bool is_weight = false;
    std::string problem;  ///< a sentence; empty: no row is bad
};

/// One data set while it is trained on or evaluated.
struct PreparedSet {
    std::string name;
    std::vector<float> labels;
    std::vector<float> weights;  ///< empty: 1 each
    std::vector<float> label_upper_bounds;
    std::vector<float> margins;  ///< [groups x rows]
    /// First row of each query and the number of rows; empty when the data name no queries.
    std::vector<std::uint32_t> query_begins;
    std::vector<RowSegment> segments;
    std::uint64_t total_rows = 0;
    data::BinnedMatrix matrix;
    data::FeatureRows rows;  ///< kept when splits are looked for, or rows are sent, by values: exact, approx, gblinear,
                             ///< process_type update
    std::vector<std::vector<float>> leaf_values;  ///< dart: [trees][rows] what each tree says of each row

    RowsView View() const {
        return {labels.size(), margins.data(),
                labels.data(), weights.empty() ? nullptr : weights.data(),
                query_begins,  segments,
                total_rows,    label_upper_bounds.empty() ? nullptr : label_upper_bounds.data()};
    }
};

struct PreparedData {
    std::vector<PreparedSet> sets;          ///< [0] is trained on
    std::vector<std::uint8_t> categorical;  ///< [features] 1 for a categorical one; empty: none is
    data::Cutting cutting = data::Cutting::kOnce;
    data::BinLayout layout;     ///< kOnce
    float greatest_weight = 0;  ///< of all ranks' training rows; 0: no rank has weights
    std::size_t num_features = 0;
    std::size_t scratch_bytes = 0;  ///< of the bins, in scratch files
    double cuts_seconds = 0;
    double bins_seconds = 0;

    bool weighted() const { return greatest_weight > 0; }
    std::size_t memory_bytes() const;
};

/// kInvalidArgument on the ranks with a label that cannot be, or when queries are ranked with a weight that is not its
/// query's; kCancelled on the others, so that all leave together.
Result<void> CheckRows(const Objective& objective, const std::vector<DataSet>& data_sets, collective::Comm& comm,
                       BadRow* bad_row);

/// Where bins come from and where they lie.
struct BinOptions {
    /// The sets' bins, when they are made already. data_sets then needs the labels, weights and numbers of features
    /// only; the rank must be alone, and there must be no start model.
    const BinnedJob* made = nullptr;
    /// Bins beyond this many bytes lie in scratch files in scratch_folder; 0: none do.
    std::size_t memory_bytes_max = 0;
    std::string scratch_folder = {};
};

/// Takes the rows out of data_sets; margins stay empty. kInvalidArgument when there is no row to train on or an
/// evaluated set has features that the training set lacks; kIo when a scratch file cannot be made.
Result<PreparedData> PrepareData(const TrainParams& params, std::vector<DataSet>& data_sets, WorkerTeam& team,
                                 collective::Comm& comm, const BinOptions& options);

}  // namespace espalier::learn
