// Where rows end in a finished tree, by their values: for rows whose bins say too little, because thresholds lie
// between the bins (exact), or were made for this tree alone (approx), or come from another training (update).
// Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "base/worker_team.h"
#include "data/feature_rows.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

/// The leaf of each row.
std::vector<std::uint32_t> FindLeaves(const model::Tree& tree, const data::FeatureRows& rows, WorkerTeam& team);

}  // namespace espalier::learn
