// Which tree method a job takes, from what the user and the image's version say (contracts/xgboost.md 4.6, 1.3).
//
// `auto` means hist from 2.0 on. Up to 1.7 it is decided once the data is known: approx for several instances or from
// 2^22 rows on, else exact. Where exact cannot do what was asked for (no limit of depth, growth by loss, column samples
// by node, gradient-based sampling), approx is taken instead of ignoring the wish. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/train_params.h"

namespace espalier::learn {

/// The method a user's list of updaters asks for, and what follows it. kInvalidArgument, with the reason, for a list
/// that grows no trees, or names what the version does not have.
struct UpdaterChoice {
    TreeMethod method = TreeMethod::kHist;
    std::vector<TreeStep> steps;
};
Result<UpdaterChoice> ChooseByUpdaters(const std::vector<std::string>& updaters, AlgorithmVersion version);

/// What process_type update does with the trees. kInvalidArgument, in xgboost's words, for updaters that grow trees.
Result<std::vector<TreeStep>> StepsOfUpdate(const std::vector<std::string>& updaters);

/// kInvalidArgument, in xgboost's words, when the method cannot do what the parameters ask for.
Result<void> CheckTreeMethod(const TrainParams& params);

/// `params` with kAuto decided, the method's pruning rule set and its pruning among the steps; rows and ranks of the
/// whole job. kInvalidArgument for exact on several ranks.
Result<TrainParams> DecideTreeMethod(const TrainParams& params, std::uint64_t total_rows, int num_ranks);

}  // namespace espalier::learn
