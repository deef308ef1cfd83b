// What the library with Arrow in it offers to data/parquet.cc, its only caller; both are built together.
//
// The functions have C names, so that dlsym finds them, and C++ arguments. They throw nothing: exceptions of the
// Parquet library are caught inside. Thread-compatible.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "data/parquet.h"

namespace espalier::data {

inline constexpr char kParquetLibraryName[] = "libespalier_parquet.so";
inline constexpr char kDescribeParquetName[] = "EspalierDescribeParquet";
inline constexpr char kReadParquetName[] = "EspalierReadParquet";

/// The columns of one file; empty: all is well.
using DescribeParquetFunction = std::optional<Error>(const DataFile& file, std::vector<ParquetColumn>& columns);

/// The rows of one file, whose columns have been described.
using ReadParquetFunction = std::optional<Error>(const DataFile& file, const ParquetOptions& options,
                                                 const std::function<Result<void>(LabeledRows&& block)>& consume);

}  // namespace espalier::data
