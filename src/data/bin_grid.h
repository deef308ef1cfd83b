// BinGrid: the codes of many values of one feature, without a branch that depends on a value.
//
// As BinFinder a grid over the value range says how many cuts lie below a value's bucket; then as many cuts are
// compared as the fullest bucket holds, one or two with a grid this fine. For columns of floats; it takes up to 8 KB a
// feature. Immutable; thread-safe. The finder and the cut points are borrowed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "data/bin_finder.h"
#include "data/cut_points.h"
#include "kernels/value_range.h"

namespace espalier::data {

class BinGrid {
  public:
    BinGrid(const CutPoints& cuts, std::size_t feature, const BinFinder& finder)
        : finder_(finder),
          cuts_(cuts.values.begin() + cuts.offsets[feature], cuts.values.begin() + cuts.offsets[feature + 1]),
          num_bins_(static_cast<std::uint32_t>(cuts_.size())),
          min_value_(cuts.min_values[feature]) {
        if (num_bins_ < 2 || num_bins_ > kBinsMax) return;
        for (std::size_t size = kBucketsMin; size <= kBucketsMax; size *= 2) {
            MakeGrid(size);
            if (most_in_bucket_ <= kFewInBucket) break;
        }
        cuts_.resize(num_bins_ + kMostInBucket, std::numeric_limits<float>::infinity());
    }

    /// Whether values of this range are all between the lowest value and the last cut.
    bool Holds(const kernels::ValueRange& range) const {
        return range.num_missing == 0 && range.lowest >= min_value_ && range.highest < cuts_[num_bins_ - 1];
    }

    /// codes: [values], as BinFinder has them; of a NaN missing_code. `held`: their range is one that Holds says so of.
    void Find(std::span<const float> values, bool held, std::uint32_t* codes) const {
        switch (most_in_bucket_) {
            case 1:
                FindEach<1>(values, codes);
                break;
            case 2:
                FindEach<2>(values, codes);
                break;
            case 3:
            case 4:
                FindEach<kMostInBucket>(values, codes);
                break;
            default:
                for (std::size_t i = 0; i < values.size(); ++i) codes[i] = finder_.CodeOf(values[i]);
        }
        for (std::size_t i = 0; i < values.size() && !held; ++i) {
            // Rare, and mostly in evaluation data.
            if (values[i] >= min_value_ && codes[i] < num_bins_) continue;
            codes[i] = values[i] != values[i] ? num_bins_ : finder_.CodeOf(values[i]);
        }
    }

  private:
    static constexpr std::size_t kBucketsMin = 256;
    static constexpr std::size_t kBucketsMax = 4096;
    static constexpr std::uint32_t kBinsMax = 0xFFFF;
    static constexpr std::uint32_t kFewInBucket = 2;
    static constexpr std::uint32_t kMostInBucket = 4;

    void MakeGrid(std::size_t size) {
        // The last cut lies far above the values; the grid spans the cuts before it.
        const float width = cuts_[num_bins_ - 2] - cuts_[0];
        low_ = cuts_[0];
        per_value_ = static_cast<float>(size) / width;
        last_bucket_ = static_cast<float>(size);
        if (!(width > 0 && width < std::numeric_limits<float>::max() &&
              per_value_ < std::numeric_limits<float>::max())) {
            return;
        }
        // first_[b]: the cuts whose bucket is below b. The map from values to buckets is monotone, so a value of bucket
        // b is above or equal to all of them, and below every cut of a later bucket.
        first_.assign(size + 2, 0);
        for (std::uint32_t cut = 0; cut < num_bins_; ++cut) ++first_[BucketOf(cuts_[cut]) + 1];
        most_in_bucket_ = *std::max_element(first_.begin(), first_.end());
        for (std::size_t b = 1; b < first_.size(); ++b)
            first_[b] = static_cast<std::uint16_t>(first_[b] + first_[b - 1]);
    }

    /// Of a NaN 0.
    std::size_t BucketOf(float value) const {
        const float place = std::min(std::max(0.0F, (value - low_) * per_value_), last_bucket_);
        return static_cast<std::size_t>(static_cast<std::int32_t>(place));
    }

    template <std::uint32_t kCompared>
    void FindEach(std::span<const float> values, std::uint32_t* codes) const {
        const float* const cuts = cuts_.data();
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::uint32_t first = first_[BucketOf(values[i])];
            std::uint32_t code = first;
            for (std::uint32_t k = 0; k < kCompared; ++k) code += cuts[first + k] <= values[i] ? 1U : 0U;
            codes[i] = code;
        }
    }

    const BinFinder& finder_;
    std::vector<float> cuts_;  ///< and infinities, to compare with beyond the last
    std::uint32_t num_bins_;
    float min_value_;
    float low_ = 0;
    float per_value_ = 0;
    float last_bucket_ = 0;
    std::uint32_t most_in_bucket_ = 0;  ///< beyond kMostInBucket, or 0: no grid
    std::vector<std::uint16_t> first_;
};

}  // namespace espalier::data
