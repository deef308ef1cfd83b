// What the model that training goes on from says of every row, computed from the rows' values before they are binned.
// The sums are those the rounds before made, bit for bit. Pure function.
#pragma once

#include <vector>

#include "base/result.h"
#include "learn/prepared_data.h"
#include "learn/train_params.h"
#include "learn/training_start.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

struct StartValues {
    std::vector<float> margins;                   ///< [groups x rows]
    std::vector<std::vector<float>> leaf_values;  ///< dart: [trees][rows]
};

/// `params` for going on from `start`: with its trees per group and round, as stock has it. kInvalidArgument when the
/// model is not one that params go on with: another kind of booster, another number of groups, or, for process_type
/// update, trees that cannot be updated or fewer rounds than are asked for.
Result<TrainParams> FitToStart(const TrainParams& params, const TrainingStart* start);

/// One per data set.
Result<std::vector<StartValues>> PredictStart(const TrainParams& params, const model::TreeEnsemble& start,
                                              const std::vector<DataSet>& data_sets);

}  // namespace espalier::learn
