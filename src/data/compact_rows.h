// CompactRows: the rows of a whole data set between parsing and binning, exact and small.
//
// Rows come in blocks (one a piece of a file), each in the smallest form that holds it exactly:
//   entries   values other than 0; features in 16 or 32 bits, or not at all where every row of the block has a value
//             for each of the first n features; values as one-byte codes of the data set's dictionary, or as floats
//   zeros     runs of features that are present and 0
//   the rest  is missing
// Floats of rows that are nearly full stand feature by feature instead, zeros and NaN for missing among them.
// MNIST takes 31 MB (314 MB as FeatureRows), a million rows of 28 continuous columns 112 MB.
// Blocks can be kept in a file that the rows own (SpillTo) instead of memory.
// Encoding: one CompactEncoder a thread; Append in file order. Thread-safe to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/scratch_file.h"
#include "data/feature_rows.h"
#include "data/row_block.h"
#include "data/stored_array.h"
#include "data/value_dictionary.h"
#include "kernels/value_range.h"

namespace espalier::data {

/// One block as bytes: entry offsets, run offsets, runs, features, values or codes, one after the other.
struct CompactBlock {
    /// kFirstOnes: every row has the features 0 … n-1. kColumns: ranges [features], floats [features x rows], no more.
    enum class FeatureForm : std::uint8_t { kFirstOnes, kColumns, k16, k32 };

    std::uint32_t num_rows = 0;
    std::uint32_t num_entries = 0;  ///< stored ones, without zeros
    std::uint32_t num_runs = 0;
    std::uint32_t num_features = 0;  ///< highest index + 1
    std::uint64_t num_present = 0;   ///< entries and zeros
    FeatureForm form = FeatureForm::k32;
    bool coded = false;
    bool has_holes = false;        ///< kColumns: there are zeros or missing values
    StoredArray<std::byte> bytes;  ///< empty once it is in the spill file
    std::uint64_t spill_offset = 0;
    std::uint64_t size_bytes = 0;
};

/// A block as arrays. Borrowed from the block and the decoder.
struct BlockView {
    std::size_t num_rows = 0;
    std::uint64_t num_present = 0;                 ///< entries and zeros
    const std::uint32_t* entry_offsets = nullptr;  ///< [rows + 1]
    const std::uint32_t* features = nullptr;       ///< [entries]
    const std::uint8_t* codes = nullptr;           ///< [entries] of the dictionary, or null and
    const float* values = nullptr;                 ///< [entries]
    const std::uint32_t* run_offsets = nullptr;    ///< [rows + 1]
    const FeatureRun* runs = nullptr;
};

/// A block feature by feature. Borrowed from the block and the decoder.
struct ColumnsView {
    std::size_t num_rows = 0;
    std::size_t num_features = 0;
    bool has_holes = false;                       ///< there are zeros or missing values
    const kernels::ValueRange* ranges = nullptr;  ///< [features]
    const float* values = nullptr;                ///< [features x rows], NaN: missing

    std::span<const float> column(std::size_t feature) const { return {values + feature * num_rows, num_rows}; }
};

class CompactRows {
  public:
    CompactRows() : dictionary_(std::make_shared<ValueDictionary>()) {}

    std::size_t num_rows() const { return first_rows_.back(); }
    std::uint64_t num_entries() const { return num_present_; }  ///< present values, zeros among them
    std::size_t num_blocks() const { return blocks_.size(); }
    /// Row of the data set that the block begins with.
    std::size_t first_row(std::size_t block) const { return first_rows_[block]; }
    std::size_t num_rows(std::size_t block) const { return blocks_[block].num_rows; }
    /// Stored entries of the block, zeros not among them.
    std::uint32_t num_stored(std::size_t block) const { return blocks_[block].num_entries; }
    const ValueDictionary& dictionary() const { return *dictionary_; }
    std::size_t memory_bytes() const;
    /// Whether any block is coded.
    bool has_codes() const { return has_codes_; }
    /// Whether the block can be seen as ColumnsView.
    bool has_columns(std::size_t block) const { return blocks_[block].form == CompactBlock::FeatureForm::kColumns; }

    static CompactRows FromRows(const FeatureRows& rows);
    /// Rows whose values are elsewhere: no blocks, only what is said of them.
    static CompactRows WithoutValues(std::uint32_t num_features, std::uint64_t num_entries) {
        CompactRows rows;
        rows.num_features = num_features;
        rows.num_present_ = num_entries;
        return rows;
    }

    /// For encoders.
    ValueDictionary& dictionary() { return *dictionary_; }
    /// From now on blocks go to a file without a name in `folder`, those that are there first. kIo.
    Result<void> SpillTo(const std::string& folder);
    bool spills() const { return spill_ != nullptr; }
    /// kIo when the spill file cannot be written.
    Result<void> Append(CompactBlock&& block);
    /// Lets go of the block's values, which nobody may ask for any more. Different blocks at once.
    void Drop(std::size_t block) { blocks_[block].bytes = {}; }

    std::uint32_t num_features = 0;  ///< highest feature index + 1, or the number of CSV columns

  private:
    friend class BlockDecoder;
    Result<void> Spill(CompactBlock& block);

    std::vector<CompactBlock> blocks_;
    std::vector<std::size_t> first_rows_ = {0};  ///< [blocks + 1]
    std::uint64_t num_present_ = 0;
    bool has_codes_ = false;
    std::shared_ptr<ValueDictionary> dictionary_;
    std::shared_ptr<ScratchFile> spill_;  ///< copies read the same file
};

/// Makes blocks. Confined to one thread; the dictionary is borrowed.
class CompactEncoder {
  public:
    explicit CompactEncoder(ValueDictionary& dictionary) : dictionary_(dictionary), cache_(dictionary) {}
    CompactBlock Encode(const RowBlock& rows);

  private:
    bool EncodeValues(const RowBlock& rows);
    CompactBlock EncodeColumns(const RowBlock& rows, CompactBlock block);

    ValueDictionary& dictionary_;
    DictionaryCache cache_;
    ArrayStore
        store_;  ///< blocks share slabs of huge pages: they are filled once, and page faults would be a tenth of it
    EntryVector<std::uint8_t> codes_;
};

/// Turns blocks into arrays; keeps its memory. Confined to one thread.
class BlockDecoder {
  public:
    /// Valid until the next call; the rows must outlive it.
    BlockView Decode(const CompactRows& rows, std::size_t block);
    /// The same of a block that has_columns.
    ColumnsView DecodeColumns(const CompactRows& rows, std::size_t block);

  private:
    const std::byte* BytesOf(const CompactRows& rows, const CompactBlock& block);
    void ViewColumnsAsRows(const CompactBlock& block, const float* columns, BlockView& view);

    EntryVector<std::byte> bytes_;
    EntryVector<std::uint32_t> features_;
    EntryVector<std::uint32_t> offsets_;
    EntryVector<std::uint32_t> no_runs_;
    EntryVector<float> values_;
    EntryVector<std::uint32_t> run_offsets_;
    EntryVector<FeatureRun> runs_;
};

/// Rows with what supervised learning adds to them.
struct TrainingRows {
    TrainingRows() = default;
    /// Rows that were made by hand or by a parser of whole files.
    TrainingRows(const LabeledRows& labeled);  // NOLINT: the same rows in another form

    CompactRows rows;
    std::vector<float> labels;                    ///< [rows]
    std::vector<float> weights;                   ///< [rows], or empty: every weight is 1
    std::vector<std::uint64_t> query_ids;         ///< [rows], or empty: the source names no queries
    std::vector<FeatureType> feature_types = {};  ///< [features], or empty: all are numeric
};

/// Labelled rows of any parser as a block.
RowBlock MakeRowBlock(const LabeledRows& labeled);

/// Borrowed from the rows, which list their features.
BlockView ViewOf(const RowBlock& rows);

/// Appends the rows with every value as a float; the dictionary is that of the codes.
void Expand(const BlockView& block, const ValueDictionary& dictionary, FeatureRows& out);
void ExpandBlock(const CompactRows& rows, std::size_t block, BlockDecoder& decoder, FeatureRows& out);

/// All rows with every value as a float: 8 bytes an entry. For what needs values after binning, and for tests.
FeatureRows Expand(const CompactRows& rows);
LabeledRows Expand(const TrainingRows& rows);

}  // namespace espalier::data
