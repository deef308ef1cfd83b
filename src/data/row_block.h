// RowBlock: the labelled rows of one piece of a data file, fresh from its parser; training's form of rows.
//
// As in FeatureRows an entry that is not there is missing and a present 0 is a value. But zeros are most of what many
// data sets write down, so they stand as runs: features [begin, end) of a row are present and 0. `values` holds no 0.
// Entries and runs of a row rise by feature and never overlap. Values are finite. A reused block keeps its memory.
// Rows that have all features, and no 0 among them, need not list which.
// Thread-compatible.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/feature_rows.h"

namespace espalier::data {

/// Features [begin, end).
struct FeatureRun {
    std::uint32_t begin;
    std::uint32_t end;
};

struct RowBlock {
    std::vector<std::uint32_t> entry_offsets = {0};  ///< [rows + 1] into feature_idx and values
    EntryVector<std::uint32_t> feature_idx;          ///< [entries], or empty if full
    EntryVector<float> values;                       ///< [entries] f32, none is 0
    std::vector<std::uint32_t> run_offsets = {0};    ///< [rows + 1] into zero_runs
    EntryVector<FeatureRun> zero_runs;
    bool full = false;                     ///< every row has a value for each of the features 0 … num_features-1
    std::uint32_t num_features = 0;        ///< highest feature index + 1, or the number of columns
    std::vector<float> labels;             ///< [rows]
    std::vector<float> weights;            ///< [rows], or empty: every weight is 1
    std::vector<std::uint64_t> query_ids;  ///< [rows], or empty: the source names no queries

    std::size_t num_rows() const { return labels.size(); }

    /// Whether full or not, feature_idx has what it should afterwards.
    void ListFeatures() {
        if (!full) return;
        full = false;
        feature_idx.resize(std::max<std::size_t>(feature_idx.size(), entry_offsets.back()));
        for (std::size_t row = 0; row + 1 < entry_offsets.size(); ++row) {
            for (std::uint32_t f = 0; f < num_features; ++f) feature_idx[entry_offsets[row] + f] = f;
        }
    }

    void Clear() {
        full = false;
        entry_offsets.resize(1);
        feature_idx.clear();
        values.clear();
        run_offsets.resize(1);
        zero_runs.clear();
        num_features = 0;
        labels.clear();
        weights.clear();
        query_ids.clear();
    }
};

}  // namespace espalier::data
