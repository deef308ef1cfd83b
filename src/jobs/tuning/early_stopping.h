// When a trial is not worth its remaining rounds: the median rule and Hyperband's halving.
//
// Both look at a trial's objective after each round, as its log has it. Median rule (TrainingJobEarlyStoppingType
// Auto): a trial stops when its value is worse than the median, over the trials that have completed, of their averages
// up to the same round. Hyperband: rungs at growing numbers of rounds; a trial that reaches a rung goes on when it is
// among the best kHalving-th of those of its bracket that have been there. Brackets begin at later rungs, so that
// trials which start slowly have a chance; the share of each is that of Hyperband. Thread-safe: pure functions. Source:
// AWS developer guide, "Stop training jobs early"; Golovin et al., "Google Vizier" (2017); Li et al., "Hyperband"
// (2018); Li et al., "A System for Massively Parallel Hyperparameter Tuning" (2020).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace espalier::jobs {

/// One value per round, to be made small.
using RoundValues = std::vector<double>;

/// The median rule needs so many completed trials before it stops one.
inline constexpr std::size_t kMedianTrialsMin = 3;
/// It looks at no round before this one (from 1): first values say little.
inline constexpr std::size_t kMedianRoundsMin = 3;
inline constexpr std::int64_t kHalving = 3;

bool MedianRuleStops(const RoundValues& trial, std::span<const RoundValues> completed);

/// The rounds of each rung below `max_rounds`: min, 3 min, 9 min, ...
std::vector<std::int64_t> HalvingRungs(std::int64_t min_rounds, std::int64_t max_rounds);

/// The bracket of the trial of that number, from 0: that of brackets 0..num_rungs which is furthest behind its share.
/// A trial of bracket b is first judged at rung b; one of bracket num_rungs never.
std::size_t BracketOf(std::uint64_t trial_number, std::size_t num_rungs);

/// Whether a trial of `bracket` stops at one of the rungs it has reached. `others` are the trials of the same bracket,
/// running and ended.
bool HalvingStops(const RoundValues& trial, std::span<const RoundValues> others, std::size_t bracket,
                  std::span<const std::int64_t> rungs);

}  // namespace espalier::jobs
