// RowSource: where training rows come from; one class for each file format.
//
// Steps: Next cuts the files, in order, into pieces of about a megabyte -> Parse makes a piece into rows, many pieces
// at a time -> data/load_rows.h puts the rows into file order. Pieces depend on the files only, not on who reads them.
// A new format is a class here, a line in MakeRowSource, and its name in data/content_type.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "data/data_files.h"
#include "data/load_options.h"
#include "data/row_block.h"
#include "data/text_blocks.h"

namespace espalier::data {

class RowSource {
  public:
    virtual ~RowSource() = default;

    /// The next piece; false behind the last. One call at a time. The piece keeps its memory.
    virtual Result<bool> Next(TextBlock& piece) = 0;
    /// The rows of a piece into `rows` (cleared by the caller). Called by several threads at once.
    /// kInvalidArgument with file, line and column, or what stands for them.
    virtual Result<void> Parse(const TextBlock& piece, RowBlock& rows) = 0;
    /// What was noticed, when all pieces are parsed.
    virtual void Close(LoadReport& report) = 0;
};

/// Reads as far as the first row, whose form decides how all are read. `files` and `options` are borrowed.
Result<std::unique_ptr<RowSource>> MakeRowSource(std::span<const DataFile> files, const LoadOptions& options);

}  // namespace espalier::data
