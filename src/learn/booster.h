// Booster: what makes a model better by one round. gbtree, dart and gblinear differ here only; the rounds, evaluation,
// early stopping and reports around them are the trainer's.
//
// Every rank calls the same functions in the same order; the same rows give the same model for any number of threads
// and ranks. Confined to the trainer's thread.
#pragma once

#include <memory>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "learn/objective.h"
#include "learn/prepared_data.h"
#include "learn/train_params.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

/// References must outlive the booster. Margins of all sets hold what the model so far says.
struct BoosterInput {
    const TrainParams& params;
    const Objective& objective;
    PreparedData& data;
    WorkerTeam& team;
    collective::Comm& comm;
    /// Not null: the rounds are this model's, and its trees are only refreshed and pruned (process_type update).
    const model::TreeEnsemble* updated = nullptr;
};

class Booster {
  public:
    virtual ~Booster() = default;

    /// One round: gradients at the training set's margins, a better model, margins of all sets. Random numbers are
    /// keyed by the model's number of rounds, so a job that goes on from a checkpoint draws what it would have drawn.
    virtual Result<void> Boost(model::TreeEnsemble& model) = 0;

    /// The booster of params.
    static std::unique_ptr<Booster> Create(const BoosterInput& input);
};

/// gbtree: trees added to the sum of those before.
std::unique_ptr<Booster> MakeTreeBooster(const BoosterInput& input);
/// dart: trees some of which are dropped while others grow.
std::unique_ptr<Booster> MakeDartBooster(const BoosterInput& input);
/// gblinear: a weight per feature.
std::unique_ptr<Booster> MakeLinearBooster(const BoosterInput& input);

}  // namespace espalier::learn
