#include "data/compact_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"
#include "data/row_writers.h"

namespace espalier::data {

namespace {

using Form = CompactBlock::FeatureForm;

/// Where the arrays of a block lie in its bytes. Every array begins at a multiple of four.
struct Places {
    std::size_t run_offsets = 0;
    std::size_t runs = 0;
    std::size_t features = 0;
    std::size_t values = 0;
    std::size_t end = 0;
};

std::size_t RoundUp(std::size_t size) {
    return (size + 3) / 4 * 4;
}

Places PlacesOf(const CompactBlock& block) {
    const std::size_t offsets_bytes = 4 * (std::size_t{block.num_rows} + 1);
    Places places;
    if (block.form == Form::kColumns) {
        places.values = sizeof(kernels::ValueRange) * block.num_features;
        places.end = places.values + sizeof(float) * std::size_t{block.num_rows} * block.num_features;
        return places;
    }
    const bool first_ones = block.form == Form::kFirstOnes;
    places.run_offsets = first_ones ? 0 : offsets_bytes;
    places.runs = places.run_offsets + (block.num_runs > 0 ? offsets_bytes : 0);
    places.features = places.runs + sizeof(FeatureRun) * block.num_runs;
    const std::size_t feature_bytes = first_ones ? 0 : (block.form == Form::k16 ? 2 : 4);
    places.values = places.features + RoundUp(feature_bytes * block.num_entries);
    places.end = places.values + (block.coded ? 1 : 4) * std::size_t{block.num_entries};
    return places;
}

template <typename T>
void Put(CompactBlock& block, std::size_t place, const T* values, std::size_t count) {
    if (count > 0) std::memcpy(block.bytes.data() + place, values, count * sizeof(T));
}

/// Whether every row has a value, and no 0, for each of the features 0 … n-1 and for no other.
bool HasFirstFeaturesOnly(const RowBlock& rows) {
    if (rows.full) return true;
    const std::size_t per_row = rows.num_features;
    if (!rows.zero_runs.empty() || rows.values.size() != per_row * rows.num_rows()) return false;
    // Features rise within a row, so n of them below n are all of them.
    for (std::size_t row = 0; row < rows.num_rows(); ++row) {
        if (rows.entry_offsets[row + 1] != (row + 1) * per_row) return false;
    }
    return true;
}

// Rows that are nearly full are worth this much more memory as columns: they are binned several times as fast.
constexpr double kColumnsSize = 1.25;

/// Rows without holes as [features x rows], in squares that stay in the first cache.
void WriteFullColumns(const RowBlock& rows, float* columns) {
    constexpr std::size_t kSquare = 64;
    const std::size_t num_rows = rows.num_rows();
    const std::size_t num_features = rows.num_features;
    for (std::size_t begin = 0; begin < num_rows; begin += kSquare) {
        const std::size_t end = std::min(begin + kSquare, num_rows);
        for (std::size_t f = 0; f < num_features; ++f) {
            const float* const values = rows.values.data() + f;
            for (std::size_t row = begin; row < end; ++row) {
                columns[f * num_rows + row] = values[row * num_features];
            }
        }
    }
}

/// Rows as [features x rows]; what is missing stays as it is.
void WriteColumns(const RowBlock& rows, float* columns) {
    const std::size_t num_rows = rows.num_rows();
    std::uint32_t entry = 0;
    std::uint32_t run = 0;
    for (std::size_t row = 0; row < num_rows; ++row) {
        for (; entry < rows.entry_offsets[row + 1]; ++entry) {
            columns[rows.feature_idx[entry] * num_rows + row] = rows.values[entry];
        }
        for (; run < rows.run_offsets[row + 1]; ++run) {
            for (std::size_t f = rows.zero_runs[run].begin; f < rows.zero_runs[run].end; ++f)
                columns[f * num_rows + row] = 0.0F;
        }
    }
}

}  // namespace

bool CompactEncoder::EncodeValues(const RowBlock& rows) {
    codes_.resize(rows.values.size());
    for (std::size_t e = 0; e < rows.values.size(); ++e) {
        const auto code = cache_.CodeOf(rows.values[e]);
        if (!code.has_value()) return false;
        codes_[e] = *code;
    }
    return true;
}

CompactBlock CompactEncoder::EncodeColumns(const RowBlock& rows, CompactBlock block) {
    const Places places = PlacesOf(block);
    block.size_bytes = places.end;
    block.bytes = store_.Make<std::byte>(block.size_bytes);
    auto* columns = reinterpret_cast<float*>(block.bytes.data() + places.values);
    const std::size_t num_rows = block.num_rows;
    if (block.has_holes) {
        std::fill_n(columns, num_rows * block.num_features, std::numeric_limits<float>::quiet_NaN());
        WriteColumns(rows, columns);
    } else {
        WriteFullColumns(rows, columns);
    }
    for (std::size_t f = 0; f < block.num_features; ++f) {
        const kernels::ValueRange range = kernels::RangeOf({columns + f * num_rows, num_rows});
        Put(block, f * sizeof(range), &range, 1);
    }
    return block;
}

CompactBlock CompactEncoder::Encode(const RowBlock& rows) {
    CompactBlock block;
    block.num_rows = static_cast<std::uint32_t>(rows.num_rows());
    block.num_entries = static_cast<std::uint32_t>(rows.values.size());
    block.num_runs = static_cast<std::uint32_t>(rows.zero_runs.size());
    block.num_features = rows.num_features;
    block.num_present = rows.values.size();
    for (const FeatureRun& run : rows.zero_runs) block.num_present += run.end - run.begin;
    block.coded = EncodeValues(rows);
    const bool full = HasFirstFeaturesOnly(rows);
    if (full && block.coded) {
        block.form = Form::kFirstOnes;
    } else {
        block.form = rows.num_features <= 65'536 ? Form::k16 : Form::k32;
        CompactBlock columns = block;
        columns.form = Form::kColumns;
        columns.has_holes = !full;
        const auto size = static_cast<double>(PlacesOf(columns).end);
        if (!block.coded && size <= kColumnsSize * static_cast<double>(PlacesOf(block).end)) {
            return EncodeColumns(rows, std::move(columns));
        }
    }
    const Places places = PlacesOf(block);
    block.bytes = store_.Make<std::byte>(places.end);
    block.size_bytes = places.end;
    if (block.form != Form::kFirstOnes) Put(block, 0, rows.entry_offsets.data(), rows.num_rows() + 1);
    if (block.num_runs > 0) {
        Put(block, places.run_offsets, rows.run_offsets.data(), rows.num_rows() + 1);
        Put(block, places.runs, rows.zero_runs.data(), rows.zero_runs.size());
    }
    if (block.form == Form::k16) {
        auto* features = reinterpret_cast<std::uint16_t*>(block.bytes.data() + places.features);
        for (std::size_t e = 0; e < rows.feature_idx.size(); ++e) {
            features[e] = static_cast<std::uint16_t>(rows.feature_idx[e]);
        }
    } else if (block.form == Form::k32) {
        Put(block, places.features, rows.feature_idx.data(), rows.feature_idx.size());
    }
    if (block.coded) {
        Put(block, places.values, codes_.data(), codes_.size());
    } else {
        Put(block, places.values, rows.values.data(), rows.values.size());
    }
    return block;
}

std::size_t CompactRows::memory_bytes() const {
    std::size_t bytes = 0;
    for (const CompactBlock& block : blocks_) bytes += block.bytes.size();
    return bytes;
}

Result<void> CompactRows::Spill(CompactBlock& block) {
    block.spill_offset = TRY(spill_->Append({block.bytes.data(), block.bytes.size()}));
    block.bytes = {};
    return {};
}

Result<void> CompactRows::SpillTo(const std::string& folder) {
    spill_ = TRY(ScratchFile::Create(folder));
    for (CompactBlock& block : blocks_) TRY(Spill(block));
    return {};
}

Result<void> CompactRows::Append(CompactBlock&& block) {
    if (spills()) TRY(Spill(block));
    first_rows_.push_back(first_rows_.back() + block.num_rows);
    num_present_ += block.num_present;
    has_codes_ = has_codes_ || block.coded;
    num_features = std::max(num_features, block.num_features);
    blocks_.push_back(std::move(block));
    return {};
}

const std::byte* BlockDecoder::BytesOf(const CompactRows& rows, const CompactBlock& block) {
    if (!rows.spills()) return block.bytes.data();
    bytes_.resize(block.size_bytes);
    rows.spill_->ReadAt(bytes_, block.spill_offset);
    return bytes_.data();
}

BlockView BlockDecoder::Decode(const CompactRows& rows, std::size_t block_idx) {
    const CompactBlock& block = rows.blocks_[block_idx];
    const Places places = PlacesOf(block);
    const std::byte* bytes = BytesOf(rows, block);
    const auto at = [bytes](std::size_t place) { return reinterpret_cast<const std::uint32_t*>(bytes + place); };
    BlockView view;
    view.num_rows = block.num_rows;
    view.num_present = block.num_present;
    if (block.form == Form::kColumns) {
        ViewColumnsAsRows(block, reinterpret_cast<const float*>(bytes + places.values), view);
        return view;
    }
    if (block.form == Form::kFirstOnes) {
        const std::uint32_t per_row = block.num_features;
        offsets_.resize(std::size_t{block.num_rows} + 1);
        for (std::uint32_t row = 0; row <= block.num_rows; ++row) offsets_[row] = row * per_row;
        features_.resize(block.num_entries);
        for (std::size_t e = 0; e < block.num_entries; e += per_row) {
            for (std::uint32_t f = 0; f < per_row; ++f) features_[e + f] = f;
        }
        view.entry_offsets = offsets_.data();
        view.features = features_.data();
    } else {
        view.entry_offsets = at(0);
        view.features = at(places.features);
    }
    if (block.form == Form::k16) {
        const auto* narrow = reinterpret_cast<const std::uint16_t*>(bytes + places.features);
        features_.assign(narrow, narrow + block.num_entries);
        view.features = features_.data();
    }
    if (block.num_runs > 0) {
        view.run_offsets = at(places.run_offsets);
        view.runs = reinterpret_cast<const FeatureRun*>(bytes + places.runs);
    } else {
        no_runs_.assign(std::max(no_runs_.size(), std::size_t{block.num_rows} + 1), 0);
        view.run_offsets = no_runs_.data();
    }
    if (block.coded) {
        view.codes = reinterpret_cast<const std::uint8_t*>(bytes + places.values);
    } else {
        view.values = reinterpret_cast<const float*>(bytes + places.values);
    }
    return view;
}

void BlockDecoder::ViewColumnsAsRows(const CompactBlock& block, const float* columns, BlockView& view) {
    const std::size_t num_rows = block.num_rows;
    offsets_.assign(num_rows + 1, 0);
    run_offsets_.assign(num_rows + 1, 0);
    features_.resize(block.num_entries);
    values_.resize(block.num_entries);
    runs_.resize(block.num_runs);
    std::uint32_t entry = 0;
    std::uint32_t run = 0;
    for (std::size_t row = 0; row < num_rows; ++row) {
        for (std::uint32_t f = 0; f < block.num_features; ++f) {
            const float value = columns[f * num_rows + row];
            if (std::isnan(value)) continue;
            if (value != 0.0F) {
                features_[entry] = f;
                values_[entry++] = value;
            } else if (run > run_offsets_[row] && runs_[run - 1].end == f) {
                ++runs_[run - 1].end;
            } else {
                runs_[run++] = {f, f + 1};
            }
        }
        offsets_[row + 1] = entry;
        run_offsets_[row + 1] = run;
    }
    view.entry_offsets = offsets_.data();
    view.features = features_.data();
    view.values = values_.data();
    view.run_offsets = run_offsets_.data();
    view.runs = runs_.data();
}

ColumnsView BlockDecoder::DecodeColumns(const CompactRows& rows, std::size_t block_idx) {
    const CompactBlock& block = rows.blocks_[block_idx];
    CHECK(block.form == Form::kColumns);
    const std::byte* const bytes = BytesOf(rows, block);
    return {block.num_rows, block.num_features, block.has_holes, reinterpret_cast<const kernels::ValueRange*>(bytes),
            reinterpret_cast<const float*>(bytes + PlacesOf(block).values)};
}

RowBlock MakeRowBlock(const LabeledRows& labeled) {
    const FeatureRows& rows = labeled.rows;
    CHECK(labeled.labels.size() == rows.num_rows());
    RowBlock block;
    RowBlockWriter writer(block, 2 * rows.num_entries());
    for (std::size_t row = 0; row < rows.num_rows(); ++row) {
        for (std::uint64_t e = rows.row_offsets[row]; e < rows.row_offsets[row + 1]; ++e) {
            writer.Add(rows.feature_idx[e], rows.values[e]);
        }
        writer.EndRow();
    }
    writer.Finish();
    block.num_features = std::max(block.num_features, rows.num_features);
    block.labels = labeled.labels;
    block.weights = labeled.weights;
    block.query_ids = labeled.query_ids;
    return block;
}

CompactRows CompactRows::FromRows(const FeatureRows& rows) {
    LabeledRows labeled;
    labeled.rows = rows;
    labeled.labels.assign(rows.num_rows(), 0.0F);
    return TrainingRows(labeled).rows;
}

TrainingRows::TrainingRows(const LabeledRows& labeled)
    : labels(labeled.labels),
      weights(labeled.weights),
      query_ids(labeled.query_ids),
      feature_types(labeled.rows.feature_types) {
    CompactEncoder encoder(rows.dictionary());
    rows.num_features = labeled.rows.num_features;
    const Result<void> appended = rows.Append(encoder.Encode(MakeRowBlock(labeled)));
    CHECK(appended.has_value());  // only a spill can fail
}

BlockView ViewOf(const RowBlock& rows) {
    BlockView view;
    view.num_rows = rows.num_rows();
    view.num_present = rows.values.size();
    for (const FeatureRun& run : rows.zero_runs) view.num_present += run.end - run.begin;
    view.entry_offsets = rows.entry_offsets.data();
    view.features = rows.feature_idx.data();
    view.values = rows.values.data();
    view.run_offsets = rows.run_offsets.data();
    view.runs = rows.zero_runs.data();
    return view;
}

void Expand(const BlockView& block, const ValueDictionary& dictionary, FeatureRows& out) {
    FeatureRowsWriter writer(out, 2 * block.num_present);
    for (std::size_t row = 0; row < block.num_rows; ++row) {
        std::uint32_t run = block.run_offsets[row];
        const auto add_runs_before = [&](std::uint64_t feature) {
            for (; run < block.run_offsets[row + 1] && block.runs[run].begin < feature; ++run) {
                writer.AddZeros(block.runs[run].begin, block.runs[run].end - block.runs[run].begin);
            }
        };
        for (std::uint32_t e = block.entry_offsets[row]; e < block.entry_offsets[row + 1]; ++e) {
            add_runs_before(block.features[e]);
            writer.Add(block.features[e],
                       block.codes != nullptr ? dictionary.ValueOf(block.codes[e]) : block.values[e]);
        }
        add_runs_before(~std::uint64_t{0});
        writer.EndRow();
    }
    writer.Finish();
}

void ExpandBlock(const CompactRows& rows, std::size_t block, BlockDecoder& decoder, FeatureRows& out) {
    Expand(decoder.Decode(rows, block), rows.dictionary(), out);
}

FeatureRows Expand(const CompactRows& rows) {
    FeatureRows all;
    all.num_features = rows.num_features;
    BlockDecoder decoder;
    for (std::size_t block = 0; block < rows.num_blocks(); ++block) ExpandBlock(rows, block, decoder, all);
    return all;
}

LabeledRows Expand(const TrainingRows& rows) {
    LabeledRows labeled = {Expand(rows.rows), rows.labels, rows.weights, rows.query_ids};
    labeled.rows.feature_types = rows.feature_types;
    return labeled;
}

}  // namespace espalier::data
