#include "learn/training_start.h"

#include "learn/model_rounds.h"

namespace espalier::learn {

TrainingStart StartFrom(model::TreeEnsemble imported, bool updates) {
    const int num_rounds = static_cast<int>(RoundsOf(imported));
    if (!updates) return {.model = std::move(imported), .rounds_before = num_rounds};
    TrainingStart start{.model = imported, .rounds_before = 0, .updated = std::move(imported)};
    start.model.trees.clear();
    start.model.tree_info.clear();
    start.model.iteration_indptr = {0};
    return start;
}

}  // namespace espalier::learn
