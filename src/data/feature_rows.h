// Rows of features as they come from a file or a request, before binning; what every parser makes and what training and
// prediction read.
//
// Shape: compressed sparse rows. Entry e of row r lies in [row_offsets[r], row_offsets[r + 1]), feature indices rising
// and unique within a row. A stored value is present, also when it is 0; an entry that is not stored is missing. Values
// are never NaN: a NaN in the input is not stored (XGBoost: NaN is missing). Infinite values are refused by the
// parsers. Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace espalier::data {

/// No source may name a feature beyond this index: the model formats store signed 32-bit indices and a count.
inline constexpr std::uint32_t kFeatureIdxMax = 2147483645U;

struct FeatureRows {
    std::vector<std::uint64_t> row_offsets = {0};  ///< [rows + 1]
    std::vector<std::uint32_t> feature_idx;        ///< [entries]
    std::vector<float> values;                     ///< [entries] f32
    std::uint32_t num_features = 0;                ///< highest feature index + 1, or the number of CSV columns

    std::size_t num_rows() const { return row_offsets.size() - 1; }
    std::size_t num_entries() const { return values.size(); }

    /// No rows any more; the memory is kept, so a reused batch stops allocating once it has seen its largest request.
    void Clear() {
        row_offsets.resize(1);
        feature_idx.clear();
        values.clear();
        num_features = 0;
    }
};

/// Feature rows with what supervised learning adds to them.
struct LabeledRows {
    FeatureRows rows;
    std::vector<float> labels;             ///< [rows]
    std::vector<float> weights;            ///< [rows], or empty: every weight is 1
    std::vector<std::uint64_t> query_ids;  ///< [rows] qid of libsvm rows, or empty: the source names no queries

    void Clear() {
        rows.Clear();
        labels.clear();
        weights.clear();
        query_ids.clear();
    }
};

}  // namespace espalier::data
