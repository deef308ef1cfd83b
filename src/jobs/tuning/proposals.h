// Which hyperparameters a trial gets: the strategies Random, Grid and Bayesian as functions of what is known.
//
// A proposal depends on the space, the seed, the trial's number and the history it is given, on nothing else, so that
// a seed gives the same trials again. Random draws each coordinate evenly. Grid takes the combinations in turn.
// Bayesian begins with evenly spread points, then takes the point of the greatest expected improvement under a Gaussian
// process over the values so far; trials under way count as if they ended as expected. Hyperband draws like Random
// (early_stopping.h is where it differs).
// Source: Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions" (1998); Snoek,
// Larochelle and Adams, "Practical Bayesian Optimization of Machine Learning Algorithms" (2012); Ginsbourger, Le Riche
// and Carraro, "Kriging Is Well-Suited to Parallelize Optimization" (2010).
// Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "jobs/tuning/search_space.h"

namespace espalier::jobs {

struct TrialValue {
    CubePoint point;
    double value = 0;  ///< to be made small: the negative of an objective to maximise
};

/// What a proposal may know.
struct TrialHistory {
    std::vector<TrialValue> ended;
    std::vector<CubePoint> pending;
};

CubePoint ProposeRandom(const SearchSpace& space, std::uint64_t seed, std::uint64_t number);

/// Number of evenly spread points that Bayesian begins with.
std::uint64_t NumFirstTrials(const SearchSpace& space);

CubePoint ProposeBayesian(const SearchSpace& space, std::uint64_t seed, std::uint64_t number,
                          const TrialHistory& history);

/// The greatest expected improvement that the model of the history sees anywhere, as a share of the spread of the
/// values; infinite when too little is known. What "converged" is judged by.
double RemainingImprovement(const SearchSpace& space, std::uint64_t seed, const TrialHistory& history);

}  // namespace espalier::jobs
