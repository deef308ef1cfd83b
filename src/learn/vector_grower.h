// Grows trees that predict all targets at once (multi_strategy multi_output_tree): one structure, and leaves with a
// value per target.
//
// Nouns: target (an output of the model: a class, a quantile), slot (memory of one node's histograms, one per target).
// A tree after the other; a step splits what tree_grower.h's would. The child of fewer rows is added up, its sibling is
// parent minus child. Sums are integers in the fine units of gradient_scale.h, so threads, ranks and instruction sets
// give the same trees; the scan is kernels/vector_split.h's, in double and scalar.
// Ranks: the histograms of a step's built nodes are summed over all ranks, and every rank finds all splits.
// Memory: a slot is targets x num_cells x 16 bytes; nodes for which TrainParams::histogram_bytes_max has no slot left
// are added up from their rows again when their children need them. Categorical features and constraints are refused
// before, as in stock. Source: xgboost 3.2 tree/updater_quantile_hist.cc (MultiTargetHistBuilder),
// tree/hist/evaluate_splits.h (HistMultiEvaluator). Pinned by tests/parity/test_multi_output.py.
// Confined to the trainer's thread.
#pragma once

#include <memory>

#include "learn/tree_grower.h"

namespace espalier::learn {

/// For binned training and evaluation rows.
std::unique_ptr<TreeGrower> MakeVectorGrower(const GrowerInput& input);

}  // namespace espalier::learn
