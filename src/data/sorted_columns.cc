#include "data/sorted_columns.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace espalier::data {

SortedColumns SortedColumns::Create(const FeatureRows& rows, std::size_t num_features, WorkerTeam& team) {
    CHECK(rows.num_features <= num_features);
    CHECK(rows.num_rows() < std::numeric_limits<std::uint32_t>::max());
    SortedColumns columns;
    columns.num_rows_ = rows.num_rows();
    columns.offsets_.assign(num_features + 1, 0);
    for (const std::uint32_t feature : rows.feature_idx) ++columns.offsets_[feature + 1];
    for (std::size_t feature = 0; feature < num_features; ++feature) {
        columns.offsets_[feature + 1] += columns.offsets_[feature];
    }
    columns.entries_.resize(rows.num_entries());
    std::vector<std::uint64_t> next(columns.offsets_.begin(), columns.offsets_.end() - 1);
    for (std::size_t row = 0; row < rows.num_rows(); ++row) {
        for (std::uint64_t e = rows.row_offsets[row]; e < rows.row_offsets[row + 1]; ++e) {
            columns.entries_[next[rows.feature_idx[e]]++] = {rows.values[e], static_cast<std::uint32_t>(row)};
        }
    }
    team.ForEach(num_features, [&](std::size_t feature, int) {
        const auto begin = columns.entries_.begin() + static_cast<std::ptrdiff_t>(columns.offsets_[feature]);
        const auto end = columns.entries_.begin() + static_cast<std::ptrdiff_t>(columns.offsets_[feature + 1]);
        std::sort(begin, end, [](const Entry& a, const Entry& b) {
            return a.value != b.value ? a.value < b.value : a.row < b.row;
        });
    });
    return columns;
}

}  // namespace espalier::data
