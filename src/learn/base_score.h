// Where boosting starts: the intercept, given or estimated from the labels (contracts/xgboost.md 4.2).
#pragma once

#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "learn/objective.h"

namespace espalier::learn {

/// The intercept as the model file stores it (scale of the output; margins for multi:*), one value, or one per class.
/// rows.margins is not read. weighted: any rank's rows have weights.
Result<std::vector<float>> FindBaseScore(const TrainParams& params, const Objective& objective, const RowsView& rows,
                                         bool weighted, WorkerTeam& team, collective::Comm& comm);

}  // namespace espalier::learn
