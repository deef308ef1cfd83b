// Where a row or a byte of a data file stands, for messages: files are read again, so that a good load counts nothing.
// Pure functions over files.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/content_type.h"
#include "data/data_files.h"
#include "data/text_issue.h"

namespace espalier::data {

/// Of the byte at `offset` of the unpacked file.
TextPlace FindPlaceInFile(const DataFile& file, std::uint64_t offset);

/// "train/part-0, line 18": the file and line of the row-th row of all files.
std::string DescribePlaceOfRow(std::span<const DataFile> files, InputFormat format, std::uint64_t row);

}  // namespace espalier::data
