// BinFinder: from a value of one feature to its code, faster than a binary search over all cuts.
//
// A grid over the value range says between which two cuts a value's bucket lies. The answer equals CutPoints::BinOf,
// except that values outside the cuts get codes of their own (data/binned_matrix.h). Immutable; thread-safe. The cut
// points are borrowed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "data/cut_points.h"

namespace espalier::data {

class BinFinder {
  public:
    BinFinder(const CutPoints& cuts, std::size_t feature)
        : cuts_(cuts.values.data() + cuts.offsets[feature]),
          num_bins_(cuts.num_bins(feature)),
          min_value_(cuts.min_values[feature]),
          last_cut_(cuts_[num_bins_ - 1]) {
        grid_size_ = std::min(kGridMax, kGridPerBin * num_bins_);
        const float low = cuts_[0];
        // The last cut lies far above the values; the grid spans the cuts before it.
        const float high = num_bins_ >= 2 ? cuts_[num_bins_ - 2] : low;
        low_ = low;
        const float width = high - low;
        per_value_ =
            width > 0 && width < std::numeric_limits<float>::max() ? static_cast<float>(grid_size_) / width : 0.0F;
        if (!(per_value_ < std::numeric_limits<float>::max())) per_value_ = 0.0F;
        // first_[b]: number of cuts whose bucket is below b. A value of bucket b is above all of them or equal, because
        // the map from values to buckets is monotone.
        first_.assign(grid_size_ + 2, 0);
        for (std::size_t cut = 0; cut < num_bins_; ++cut) ++first_[BucketOf(cuts_[cut]) + 1];
        for (std::size_t b = 1; b < first_.size(); ++b) first_[b] += first_[b - 1];
        zero_code_ = Search(0.0F);
    }

    std::uint32_t zero_code() const { return zero_code_; }
    std::uint32_t CodeOf(float value) const { return value == 0.0F ? zero_code_ : Search(value); }

  private:
    static constexpr std::size_t kGridPerBin = 2;
    static constexpr std::size_t kGridMax = 1024;

    std::size_t BucketOf(float value) const {
        const float place = (value - low_) * per_value_;
        if (!(place > 0)) return 0;
        return place < static_cast<float>(grid_size_) ? static_cast<std::size_t>(place) : grid_size_;
    }
    std::uint32_t Search(float value) const {
        if (value < min_value_) return num_bins_ + 1;
        if (value >= last_cut_) return num_bins_ + 2;
        const std::size_t bucket = BucketOf(value);
        const float* begin = cuts_ + first_[bucket];
        const float* end = cuts_ + first_[bucket + 1];
        while (end - begin > 8) {
            const float* middle = begin + (end - begin) / 2;
            if (*middle <= value) {
                begin = middle + 1;
            } else {
                end = middle;
            }
        }
        while (begin < end && *begin <= value) ++begin;
        return static_cast<std::uint32_t>(begin - cuts_);
    }

    const float* cuts_;
    std::uint32_t num_bins_;
    float min_value_;
    float last_cut_;
    float low_ = 0;
    float per_value_ = 0;
    std::size_t grid_size_ = 0;
    std::uint32_t zero_code_ = 0;
    std::vector<std::uint32_t> first_;
};

}  // namespace espalier::data
