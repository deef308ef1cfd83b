// The values of each feature in order, with the rows they are in: what exact split finding walks.
//
// Memory: 8 bytes per present value. Immutable once built; thread-safe to read.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/worker_team.h"
#include "data/feature_rows.h"

namespace espalier::data {

class SortedColumns {
  public:
    struct Entry {
        float value;
        std::uint32_t row;
    };
    /// num_features: at least rows.num_features. Fewer than 2^32 rows.
    static SortedColumns Create(const FeatureRows& rows, std::size_t num_features, WorkerTeam& team);

    std::size_t num_features() const { return offsets_.size() - 1; }
    std::size_t num_rows() const { return num_rows_; }
    /// Rising by value, equal values by row.
    std::span<const Entry> column(std::size_t feature) const {
        return {entries_.data() + offsets_[feature], entries_.data() + offsets_[feature + 1]};
    }

  private:
    std::size_t num_rows_ = 0;
    std::vector<std::uint64_t> offsets_ = {0};  ///< [features + 1]
    std::vector<Entry> entries_;
};

}  // namespace espalier::data
