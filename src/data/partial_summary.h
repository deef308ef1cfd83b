// PartialSummarizer: the summary of a long column of floats, listed only around the ranks that decide over its cuts.
//
// Steps: values are counted by the high bits of their keys, in half a million buckets, few of which are touched often
// -> the sketch's plan tells which ranks decide -> the values of the buckets that hold those are copied, sorted and
// listed; all that lies between two of them is listed as one. So a column is read twice, and a twentieth of it is
// sorted. About 1 MB. Confined to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "data/cut_points.h"
#include "data/quantile_sketch.h"
#include "data/stored_array.h"
#include "kernels/value_buckets.h"

namespace espalier::data {

class PartialSummarizer {
  public:
    /// A column in parts, and what is known of its values, none of which is -0 or NaN.
    struct Column {
        std::vector<std::span<const float>> parts;
        float lowest = std::numeric_limits<float>::infinity();
        float highest = -std::numeric_limits<float>::infinity();
        std::uint64_t num_zeros = 0;
    };

    /// The summary for max_bin bins, and the plan that says what it is good for; nothing when most values would have to
    /// be listed. keys: as long as the column; their contents are lost.
    std::optional<SketchPlan> Summarize(const Column& column, std::size_t max_bin, std::span<std::uint32_t> keys,
                                        ValueSummary& summary);

  private:
    static constexpr int kBucketBits = 19;
    static constexpr std::size_t kGroup = 64;  // buckets that are passed over together

    struct ListedBucket {
        std::uint32_t bucket;
        std::uint64_t first_rank;
    };
    struct Totals {
        std::uint64_t num_values = 0;
        std::uint16_t heaviest = 0;
    };

    void Count(const Column& column);
    Totals AddUp();
    std::uint64_t ChooseBuckets(const SketchPlan& plan, std::uint64_t num_values);
    void List(std::span<const std::uint32_t> keys, ValueSummary& summary) const;

    ArrayStore store_;
    StoredArray<std::uint16_t> counts_;     ///< [buckets]
    std::vector<std::uint32_t> is_listed_;  ///< a bit a bucket
    std::vector<std::uint32_t> group_counts_;
    std::vector<ListedBucket> listed_;  ///< rising
    kernels::BucketMap map_;
    std::size_t num_buckets_ = 0;
};

}  // namespace espalier::data
