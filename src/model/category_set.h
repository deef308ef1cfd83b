// The categories that go right at a split, laid out for asking. Immutable and thread-safe.
//
// A bitmap from the least to the greatest category when that is no larger than the list, else the list: one number of
// a hostile file cannot ask for more memory than it takes itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "model/memory_size.h"

namespace espalier::model {

class CategorySet {
  public:
    /// `categories`: whole numbers from 0 to kCategoriesMax, in any order.
    explicit CategorySet(std::span<const std::int32_t> categories) {
        if (categories.empty()) return;
        auto [least, greatest] = std::minmax_element(categories.begin(), categories.end());
        first_ = *least;
        auto width = static_cast<std::uint32_t>(*greatest - first_) + 1;
        if (width > 32 * (categories.size() + 1)) {
            words_.assign(categories.begin(), categories.end());
            std::sort(words_.begin(), words_.end());
            return;
        }
        bits_ = width;
        words_.assign((width + 31) / 32, 0);
        for (std::int32_t category : categories) {
            auto at = static_cast<std::uint32_t>(category - first_);
            words_[at / 32] |= 1U << (at % 32);
        }
    }

    /// False for what is no category: below 0, too large, not a number.
    bool Contains(float value) const {
        if (!(value >= 0 && value < 16777216.0F)) return false;
        auto category = static_cast<std::int32_t>(value);
        if (bits_ == 0) return std::binary_search(words_.begin(), words_.end(), static_cast<std::uint32_t>(category));
        auto at = static_cast<std::uint32_t>(category - first_);
        return at < bits_ && ((words_[at / 32] >> (at % 32)) & 1U) != 0;
    }

    std::size_t memory_bytes() const { return BytesOf(words_); }

  private:
    std::int32_t first_ = 0;
    std::uint32_t bits_ = 0;  // 0: words_ is the list
    std::vector<std::uint32_t> words_;
};

}  // namespace espalier::model
