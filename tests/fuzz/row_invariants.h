// What must hold of rows that a parser made, whatever the text was.
#pragma once

#include <cmath>

#include "base/check.h"
#include "data/compact_rows.h"
#include "data/feature_rows.h"

namespace espalier::fuzz {

inline void CheckRows(const data::FeatureRows& rows) {
    CHECK(!rows.row_offsets.empty() && rows.row_offsets.front() == 0);
    CHECK(rows.row_offsets.back() == rows.values.size() && rows.feature_idx.size() == rows.values.size());
    for (std::size_t row = 0; row < rows.num_rows(); ++row) {
        CHECK(rows.row_offsets[row] <= rows.row_offsets[row + 1]);
        for (std::uint64_t e = rows.row_offsets[row]; e < rows.row_offsets[row + 1]; ++e) {
            CHECK(rows.feature_idx[e] < rows.num_features);
            CHECK(e == rows.row_offsets[row] || rows.feature_idx[e - 1] < rows.feature_idx[e]);
            CHECK(std::isfinite(rows.values[e]));
        }
    }
}

inline void CheckLabeledRows(const data::LabeledRows& rows) {
    CheckRows(rows.rows);
    std::size_t n = rows.rows.num_rows();
    CHECK(rows.labels.size() == n);
    CHECK(rows.weights.empty() || rows.weights.size() == n);
    CHECK(rows.query_ids.empty() || rows.query_ids.size() == n);
    for (float label : rows.labels) CHECK(std::isfinite(label));
    for (float weight : rows.weights) CHECK(weight >= 0 && std::isfinite(weight));
}

inline bool SameRows(const data::FeatureRows& a, const data::FeatureRows& b) {
    return a.row_offsets == b.row_offsets && a.feature_idx == b.feature_idx && a.values == b.values;
}

/// A block of training rows, before and after it is made compact.
inline void CheckRowBlock(const data::RowBlock& block) {
    data::LabeledRows rows;
    data::RowBlock listed = block;
    listed.ListFeatures();
    data::Expand(data::ViewOf(listed), data::ValueDictionary(), rows.rows);
    rows.rows.num_features = std::max(rows.rows.num_features, block.num_features);
    rows.labels = block.labels;
    rows.weights = block.weights;
    rows.query_ids = block.query_ids;
    CheckLabeledRows(rows);
    data::CompactRows compact;
    data::CompactEncoder encoder(compact.dictionary());
    CHECK(compact.Append(encoder.Encode(block)).has_value());
    CHECK(SameRows(data::Expand(compact), rows.rows));
}

}  // namespace espalier::fuzz
