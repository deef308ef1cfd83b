// Data files as a sequence of text blocks cut at line ends.
//
// A block is about kTextBlockBytes long (longer if a line is) and belongs to one file; a file's last block gets the
// line end it may lack. gzip (several members too) is undone. The borders depend on the files only, not on who reads.
// Confined to one thread at a time (the caller locks).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "data/byte_source.h"
#include "data/data_files.h"
#include "data/padded_text.h"

namespace espalier::data {

inline constexpr std::size_t kTextBlockBytes = std::size_t{1} << 20;
/// A line may not be longer than this (a row of 10 million features is about 100 MB of text).
inline constexpr std::size_t kTextLineBytesMax = std::size_t{1} << 28;

/// Reusable: Next keeps its memory.
struct TextBlock {
    EntryVector<char> bytes;
    PaddedText text;  ///< into `bytes`
    std::size_t file_idx = 0;
    bool first_in_file = false;
    std::uint64_t file_offset = 0;  ///< of text.begin in the unpacked file
    std::uint64_t bytes_read = 0;   ///< from disk, with this block
};

class TextBlockReader {
  public:
    /// `files` is borrowed and must outlive the reader.
    explicit TextBlockReader(std::span<const DataFile> files) : files_(files) {}
    TextBlockReader(TextBlockReader&&) = delete;

    /// Fills `block` with the next block; false after the last one.
    /// kIo, kCorruptData (gzip), kResourceLimit (a line over kTextLineBytesMax), each with the file's name.
    Result<bool> Next(TextBlock& block);

  private:
    Result<void> Open();
    Result<void> Fill(EntryVector<char>& bytes, std::size_t front, std::size_t& size, std::size_t target);

    std::span<const DataFile> files_;
    std::size_t file_idx_ = 0;
    std::unique_ptr<ByteSource> source_;
    std::uint64_t file_offset_ = 0;  // of the next block's first byte
    EntryVector<char> carry_;        // the unfinished line behind the last block
    std::uint64_t bytes_read_ = 0;
};

}  // namespace espalier::data
