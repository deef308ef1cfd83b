// What text parsers write their rows with: one writer per form of rows, the same calls on each.
//
// A parser calls Add, AddNonzero and AddZeros in the text's order, EndRow behind each row, Finish at the end. Arrays
// are sized once for the worst the text can hold (an entry takes at least two bytes) and cut by Finish; pages nobody
// wrote to cost nothing. A row may be written in any order of features and is then put right by TakeRow, sorting, and
// Add again. Confined to one parse.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "data/feature_rows.h"
#include "data/row_block.h"

namespace espalier::data {

/// One entry of a row that is being put in order.
using FeatureValue = std::pair<std::uint32_t, float>;

/// Where the next entries of a row go.
struct EntrySpace {
    std::uint32_t* features;
    float* values;
};

/// Appends rows to a RowBlock.
class RowBlockWriter {
  public:
    RowBlockWriter(RowBlock& block, std::size_t text_bytes) : block_(block), num_entries_(block.values.size()) {
        num_runs_ = block.zero_runs.size();
        const std::size_t worst = text_bytes / 2 + 1;
        block.feature_idx.resize(num_entries_ + worst);
        block.values.resize(num_entries_ + worst);
        block.zero_runs.resize(num_runs_ + worst);
        features_ = block.feature_idx.data();
        values_ = block.values.data();
        row_entry_ = num_entries_;
        row_run_ = num_runs_;
    }

    void Add(std::uint32_t feature, float value) {
        if (value == 0.0F) {
            AddZeros(feature, 1);
            return;
        }
        AddNonzero(feature, value);
    }

    void AddNonzero(std::uint32_t feature, float value) {
        features_[num_entries_] = feature;
        values_[num_entries_++] = value;
    }

    EntrySpace space() { return {features_ + num_entries_, values_ + num_entries_}; }
    /// Entries other than 0 that were written to space().
    void AddToSpace(std::size_t count) { num_entries_ += count; }

    /// A whole row of the features 0, 1, 2, ….
    void AddRow(std::span<const float> values) {
        for (std::uint32_t f = 0; f < values.size(); ++f) Add(f, values[f]);
        EndRow();
    }

    /// Where the next values go.
    float* next_values() { return values_ + num_entries_; }
    /// Rows that were written to next_values: a value, and no 0, of each of the features 0 … num_features-1.
    void AddFullRows(std::size_t num_rows, std::uint32_t num_features) {
        if (block_.entry_offsets.size() == 1) block_.full = true;
        for (std::size_t row = 0; row < num_rows; ++row) {
            for (std::uint32_t f = 0; f < num_features && !block_.full; ++f) features_[num_entries_ + f] = f;
            num_entries_ += num_features;
            block_.entry_offsets.push_back(static_cast<std::uint32_t>(num_entries_));
            block_.run_offsets.push_back(static_cast<std::uint32_t>(num_runs_));
        }
        block_.num_features = std::max(block_.num_features, num_features);
        row_entry_ = num_entries_;
        row_run_ = num_runs_;
    }
    /// To be called before a row of another kind than AddFullRows'.
    void EndFullRows() { block_.ListFeatures(); }

    void AddZeros(std::uint32_t first, std::uint32_t count) {
        if (num_runs_ > row_run_ && block_.zero_runs[num_runs_ - 1].end == first) {
            block_.zero_runs[num_runs_ - 1].end += count;
        } else {
            block_.zero_runs[num_runs_++] = {first, first + count};
        }
    }

    void EndRow() {
        std::uint32_t features = block_.num_features;
        if (num_entries_ > row_entry_) features = std::max(features, block_.feature_idx[num_entries_ - 1] + 1);
        if (num_runs_ > row_run_) features = std::max(features, block_.zero_runs[num_runs_ - 1].end);
        block_.num_features = features;
        block_.entry_offsets.push_back(static_cast<std::uint32_t>(num_entries_));
        block_.run_offsets.push_back(static_cast<std::uint32_t>(num_runs_));
        row_entry_ = num_entries_;
        row_run_ = num_runs_;
    }

    /// The entries of the unfinished row, zeros one by one; the row is empty afterwards.
    std::vector<FeatureValue> TakeRow() {
        std::vector<FeatureValue> row;
        for (std::size_t e = row_entry_; e < num_entries_; ++e) {
            row.emplace_back(block_.feature_idx[e], block_.values[e]);
        }
        for (std::size_t r = row_run_; r < num_runs_; ++r) {
            for (std::uint32_t f = block_.zero_runs[r].begin; f < block_.zero_runs[r].end; ++f)
                row.emplace_back(f, 0.0F);
        }
        num_entries_ = row_entry_;
        num_runs_ = row_run_;
        return row;
    }

    /// Cuts the arrays to what was written. Rows begun and not ended are dropped.
    void Finish() {
        block_.feature_idx.resize(block_.full ? 0 : row_entry_);
        block_.values.resize(row_entry_);
        block_.zero_runs.resize(row_run_);
    }

  private:
    RowBlock& block_;
    std::uint32_t* features_;
    float* values_;
    std::size_t num_entries_;
    std::size_t num_runs_ = 0;
    std::size_t row_entry_ = 0;  // where the unfinished row begins
    std::size_t row_run_ = 0;
};

/// 0, 1, 2, …: the indices of a run of zeros are copied from here as far as it reaches.
inline constexpr auto kFirstIndices = [] {
    std::array<std::uint32_t, 4096> indices{};
    for (std::uint32_t i = 0; i < indices.size(); ++i) indices[i] = i;
    return indices;
}();

/// Appends rows to FeatureRows, where zeros are entries like any other.
class FeatureRowsWriter {
  public:
    FeatureRowsWriter(FeatureRows& rows, std::size_t text_bytes) : rows_(rows), num_entries_(rows.num_entries()) {
        const std::size_t worst = num_entries_ + text_bytes / 2 + 1;
        rows.feature_idx.resize(worst);
        rows.values.resize(worst);
        row_entry_ = num_entries_;
    }

    void Add(std::uint32_t feature, float value) {
        rows_.feature_idx[num_entries_] = feature;
        rows_.values[num_entries_++] = value;
    }

    void AddNonzero(std::uint32_t feature, float value) { Add(feature, value); }

    EntrySpace space() { return {rows_.feature_idx.data() + num_entries_, rows_.values.data() + num_entries_}; }
    void AddToSpace(std::size_t count) { num_entries_ += count; }

    void AddZeros(std::uint32_t first, std::uint32_t count) {
        std::uint32_t* features = rows_.feature_idx.data() + num_entries_;
        std::memset(rows_.values.data() + num_entries_, 0, count * sizeof(float));  // 0.0F is zero bytes
        if (first + count <= kFirstIndices.size()) {
            std::copy_n(kFirstIndices.data() + first, count, features);
        } else {
            std::iota(features, features + count, first);
        }
        num_entries_ += count;
    }

    void EndRow() {
        if (num_entries_ > row_entry_) {
            rows_.num_features = std::max(rows_.num_features, rows_.feature_idx[num_entries_ - 1] + 1);
        }
        rows_.row_offsets.push_back(num_entries_);
        row_entry_ = num_entries_;
    }

    std::vector<FeatureValue> TakeRow() {
        std::vector<FeatureValue> row;
        for (std::size_t e = row_entry_; e < num_entries_; ++e) row.emplace_back(rows_.feature_idx[e], rows_.values[e]);
        num_entries_ = row_entry_;
        return row;
    }

    void Finish() {
        rows_.feature_idx.resize(row_entry_);
        rows_.values.resize(row_entry_);
    }

  private:
    FeatureRows& rows_;
    std::size_t num_entries_;
    std::size_t row_entry_ = 0;
};

}  // namespace espalier::data
