#include "jobs/tuning/early_stopping.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace espalier::jobs {
namespace {

double Median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

}  // namespace

bool MedianRuleStops(const RoundValues& trial, std::span<const RoundValues> completed) {
    if (completed.size() < kMedianTrialsMin || trial.size() < kMedianRoundsMin) return false;
    std::vector<double> averages;
    for (const RoundValues& other : completed) {
        const std::size_t count = std::min(trial.size(), other.size());
        if (count == 0) continue;
        const double sum = std::accumulate(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(count), 0.0);
        averages.push_back(sum / static_cast<double>(count));
    }
    return averages.size() >= kMedianTrialsMin && trial.back() > Median(std::move(averages));
}

std::vector<std::int64_t> HalvingRungs(std::int64_t min_rounds, std::int64_t max_rounds) {
    std::vector<std::int64_t> rungs;
    for (std::int64_t rounds = min_rounds; rounds < max_rounds; rounds *= kHalving) rungs.push_back(rounds);
    return rungs;
}

std::size_t BracketOf(std::uint64_t trial_number, std::size_t num_rungs) {
    // Hyperband starts ceil((s_max + 1) / (s + 1) * 3^s) trials in the bracket that judges s times.
    std::vector<double> shares;
    double total = 0;
    for (std::size_t bracket = 0; bracket <= num_rungs; ++bracket) {
        const auto judged = static_cast<double>(num_rungs - bracket);
        const double trials = std::ceil((static_cast<double>(num_rungs) + 1.0) / (judged + 1.0) *
                                        std::pow(static_cast<double>(kHalving), judged));
        shares.push_back(trials);
        total += trials;
    }
    std::vector<double> given(shares.size(), 0.0);
    std::size_t chosen = 0;
    for (std::uint64_t number = 0; number <= trial_number; ++number) {
        const auto behind = [&](std::size_t bracket) {
            return shares[bracket] / total * static_cast<double>(number + 1) - given[bracket];
        };
        chosen = 0;
        for (std::size_t bracket = 1; bracket < shares.size(); ++bracket) {
            if (behind(bracket) > behind(chosen)) chosen = bracket;
        }
        given[chosen] += 1.0;
    }
    return chosen;
}

bool HalvingStops(const RoundValues& trial, std::span<const RoundValues> others, std::size_t bracket,
                  std::span<const std::int64_t> rungs) {
    for (std::size_t rung = bracket; rung < rungs.size(); ++rung) {
        const auto rounds = static_cast<std::size_t>(rungs[rung]);
        if (trial.size() < rounds) return false;
        const double value = trial[rounds - 1];
        std::int64_t num_seen = 1;
        std::int64_t num_better = 0;
        for (const RoundValues& other : others) {
            if (other.size() < rounds) continue;
            ++num_seen;
            if (other[rounds - 1] < value) ++num_better;
        }
        // The first few go on: among fewer than kHalving nobody can be outside the best kHalving-th.
        const std::int64_t num_kept = std::max<std::int64_t>(1, num_seen / kHalving);
        if (num_seen >= kHalving && num_better >= num_kept) return true;
    }
    return false;
}

}  // namespace espalier::jobs
