// How sure one can be of a mean at any moment, also when one looks after every outcome.
//
// Outcomes lie in [0, 1] (failed or not, right or wrong, a score). The interval is a confidence sequence: with
// probability 1 - alpha it holds the true mean at every count at once, so stopping as soon as two intervals part is no
// error, unlike with a fixed-sample test. It needs the count and the sum only.
// Source: H. Robbins, "Statistical methods related to the law of the iterated logarithm" (1970), with the beta-binomial
// mixture of Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences",
// Annals of Statistics 49 (2021): a mixture over q ~ Beta(1/2, 1/2) of the likelihood ratios (q/p)^S
// ((1-q)/(1-p))^(n-S) is a nonnegative supermartingale for outcomes in [0, 1] of mean p, and Ville's inequality bounds
// it. Pure functions.
#pragma once

#include <span>

namespace espalier::hosting {

struct Outcomes {
    double count = 0;
    double sum = 0;  ///< 0 <= sum <= count
};

struct Interval {
    double lower = 0;
    double upper = 1;
};

/// 0 < alpha < 1. [0, 1] when there are no outcomes.
Interval ConfidenceSequence(const Outcomes& outcomes, double alpha);

/// The index of the one whose mean is known to be the highest (lowest, unless higher_is_better), with an error of at
/// most alpha over all times and all of them together; -1 while it is not known, and of fewer than two.
int KnownBest(std::span<const Outcomes> each, double alpha, bool higher_is_better);

}  // namespace espalier::hosting
