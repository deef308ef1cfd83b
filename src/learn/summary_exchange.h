// Value summaries of all ranks become one, the same everywhere.
//
// Every rank sends each feature's distinct values (12 bytes each) once per job to every other. For features with few
// distinct values that is nothing; a continuous feature sends about as much as its column. Exactness needs it: cut
// points must not depend on how rows are spread over ranks.
#pragma once

#include <vector>

#include "base/result.h"
#include "collective/comm.h"
#include "data/cut_points.h"

namespace espalier::learn {

/// summaries: one per feature, the same number on every rank; becomes the merged ones.
Result<void> MergeOverRanks(std::vector<data::ValueSummary>& summaries, collective::Comm& comm);

}  // namespace espalier::learn
