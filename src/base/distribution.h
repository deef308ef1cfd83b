// How often which values occurred: what statistics and percentiles of a metric are taken from.
//
// Up to kValuesMax different values are kept as they are; beyond that each value counts for the middle of a bucket one
// per cent wide, so a percentile is off by half a per cent at most while count, sum, minimum and maximum stay exact.
// Values known by their summary only (a statistic set) join the sums, but end percentiles, as in CloudWatch.
// Source: the log-spaced buckets of DDSketch (Masson, Rim, Lee, VLDB 2019). Thread-compatible.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace espalier {

class Distribution {
  public:
    static constexpr std::size_t kValuesMax = 300;

    struct Summary {
        double count = 0;
        double sum = 0;
        double minimum = 0;
        double maximum = 0;
    };

    /// `value` finite, `count` > 0.
    void Add(double value, double count = 1);
    /// Values of which no more than the summary is known; nothing when summary.count is 0.
    void AddSummary(const Summary& summary);
    /// Values that were counted by buckets: their middles in `values`, exact sums in `summary`.
    void AddBuckets(const std::map<double, double>& values, const Summary& summary);
    void Merge(const Distribution& other);

    bool empty() const { return summary_.count <= 0; }
    const Summary& summary() const { return summary_; }
    double average() const { return summary_.sum / summary_.count; }
    /// The smallest value that at least `percent` per cent of the values do not exceed, 0 < percent <= 100. nullopt
    /// when there is none, or when only summaries are known of some.
    std::optional<double> Percentile(double percent) const;
    /// How often each value occurred, beyond kValuesMax by the middles of buckets; nullptr when only summaries are
    /// known of some.
    const std::map<double, double>* values() const { return values_known_ ? &values_ : nullptr; }

    /// The values as text, "1.5:3 2:1"; "" when they are not known. With the summary, all there is to keep.
    std::string ValuesText() const;
    /// The distribution of that summary and ValuesText(). kCorruptData for another text.
    static Result<Distribution> FromText(const Summary& summary, std::string_view values);

  private:
    void AddToSummary(const Summary& more);
    void AddValue(double value, double count);
    void Coarsen();

    Summary summary_;
    bool values_known_ = true;
    bool coarse_ = false;
    std::map<double, double> values_;  // value -> how often
};

}  // namespace espalier
