// What training goes on from.
#pragma once

#include <optional>

#include "model/tree_ensemble.h"

namespace espalier::learn {

/// A model to go on from: a checkpoint of this job, or a model that was trained before.
struct TrainingStart {
    model::TreeEnsemble model;
    int rounds_before = 0;  ///< rounds of the model that are not the job's own: all of an imported one
    /// process_type update: the model whose trees are taken, round after round; `model` has those that are done.
    std::optional<model::TreeEnsemble> updated = {};
};

/// The start of a job that goes on from an imported model, or updates it.
TrainingStart StartFrom(model::TreeEnsemble imported, bool updates);

}  // namespace espalier::learn
