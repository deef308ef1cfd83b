#include "hosting/confidence_sequence.h"

#include <math.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace espalier::hosting {
namespace {

double LogGamma(double x) {
    int sign = 0;
    return lgamma_r(x, &sign);  // lgamma itself writes a global
}

double LogBeta(double a, double b) {
    return LogGamma(a) + LogGamma(b) - LogGamma(a + b);
}

/// Log of the mixture martingale at mean `p`, without its part that does not depend on p. Convex, least at sum / count.
double MinusLogLikelihood(const Outcomes& outcomes, double p) {
    const double misses = outcomes.count - outcomes.sum;
    double value = 0;
    if (outcomes.sum > 0) value -= outcomes.sum * std::log(p);
    if (misses > 0) value -= misses * std::log1p(-p);
    return value;
}

/// Where the martingale crosses `bound` between the mean, below it, and `outer`, above it or at the edge.
double Crossing(const Outcomes& outcomes, double mean, double outer, double bound) {
    double inside = mean;
    double outside = outer;
    for (int i = 0; i < 60; ++i) {
        const double middle = (inside + outside) / 2;
        (MinusLogLikelihood(outcomes, middle) < bound ? inside : outside) = middle;
    }
    return outside;
}

}  // namespace

Interval ConfidenceSequence(const Outcomes& outcomes, double alpha) {
    if (outcomes.count <= 0) return {};
    const double mixture = LogBeta(0.5 + outcomes.sum, 0.5 + outcomes.count - outcomes.sum) - LogBeta(0.5, 0.5);
    const double bound = std::log(1 / alpha) - mixture;
    const double mean = outcomes.sum / outcomes.count;
    Interval interval;
    if (mean > 0) interval.lower = Crossing(outcomes, mean, 0, bound);
    if (mean < 1) interval.upper = Crossing(outcomes, mean, 1, bound);
    return interval;
}

int KnownBest(std::span<const Outcomes> each, double alpha, bool higher_is_better) {
    if (each.size() < 2) return -1;
    std::vector<Interval> intervals;
    for (const Outcomes& outcomes : each)
        intervals.push_back(ConfidenceSequence(outcomes, alpha / static_cast<double>(each.size())));
    for (std::size_t best = 0; best < intervals.size(); ++best) {
        bool beats_all = true;
        for (std::size_t other = 0; other < intervals.size() && beats_all; ++other) {
            if (other == best) continue;
            beats_all = higher_is_better ? intervals[best].lower > intervals[other].upper
                                         : intervals[best].upper < intervals[other].lower;
        }
        if (beats_all) return static_cast<int>(best);
    }
    return -1;
}

}  // namespace espalier::hosting
