// A tuning job as the platform runs it: the CreateHyperParameterTuningJob document parsed into typed values, with the
// checks that need no database. The document itself is kept in the job's row and echoed; this is what acts.
//
// Nouns: TuningDefinition (what a trial is made of: an algorithm, fixed hyperparameters, a space, an objective),
// TuningSpec. Refused, with a sentence for the user (kInvalidArgument): what would otherwise be ignored silently.
// Immutable values; pure functions. Source: contracts/api.md 3.2, 3.8.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "jobs/tuning/search_space.h"

namespace espalier::jobs {

/// More trials than this are refused.
inline constexpr std::int64_t kTrialsMax = 10000;
inline constexpr std::int64_t kDefaultTrials = 750;  // when the request gives no number

enum class TuningStrategy { kRandom, kGrid, kBayesian, kHyperband };

struct TuningDefinition {
    std::string name;  ///< "" in the form with one definition
    std::string metric;
    bool maximize = false;
    SearchSpace space;
    ParameterValues fixed;
    nlohmann::json job;  ///< the CreateTrainingJob document without a name and hyperparameters

    /// `value` so that less is better.
    double ToMinimize(double value) const { return maximize ? -value : value; }
};

struct TuningSpec {
    std::string name;
    TuningStrategy strategy = TuningStrategy::kBayesian;
    bool stops_by_median = false;  ///< TrainingJobEarlyStoppingType Auto
    std::int64_t max_trials = kDefaultTrials;
    std::int64_t max_parallel = 1;
    std::int64_t max_runtime_seconds = 0;  ///< 0 = no limit
    std::optional<double> target = {};
    std::int64_t not_improving_max = 0;  ///< 0 = no limit
    bool ends_on_convergence = false;
    std::optional<std::uint64_t> seed = {};
    std::int64_t min_rounds = 1;  ///< Hyperband
    std::int64_t max_rounds = 0;  ///< Hyperband
    std::vector<TuningDefinition> definitions;
    std::vector<std::string> parents;  ///< tuning jobs to start warm from
    bool parents_are_identical = false;

    const TuningDefinition& DefinitionOf(std::int64_t trial_number) const {
        return definitions[static_cast<std::size_t>(trial_number - 1) % definitions.size()];
    }
};

/// `request` is a CreateHyperParameterTuningJob document that satisfies its published shape.
Result<TuningSpec> ParseTuningSpec(const std::string& request);

/// The CreateTrainingJob document of a trial.
std::string TrialRequest(const TuningDefinition& definition, const std::string& job_name,
                         const ParameterValues& values);

}  // namespace espalier::jobs
