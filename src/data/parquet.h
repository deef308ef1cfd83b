// Parquet files: columns in the order of their schema, the label first in training data.
//
// Numbers of every width, booleans and decimals become float32; null and NaN are missing; infinity is refused. A
// dictionary column (pandas' "category") is categorical: its value is the place of its category among all categories of
// the column, sorted, in all files of all channels and instances, which the caller collects (ParquetColumn) and hands
// back. Other types are refused by file and column. Source: contracts/xgboost.md 2.5.
//
// The reading is done by Arrow C++ in a library of ours that is loaded with the first Parquet file
// (data/parquet_plugin.h), so that programs which never meet one do not carry it. Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/data_files.h"
#include "data/feature_rows.h"

namespace espalier::data {

struct ParquetColumn {
    std::string name;
    bool categorical = false;
    std::vector<std::string> categories;  ///< distinct, sorted by CategoryLess; empty unless categorical

    bool operator==(const ParquetColumn&) const = default;
};

/// Whole numbers by value before text by bytes.
bool CategoryLess(const std::string& a, const std::string& b);

/// The columns of the files, label included, with the categories that stand in them. Files without dictionary columns
/// are opened for their schema only. kInvalidArgument when a file's columns differ from the first file's, for a type
/// that cannot be a feature, for more than kParquetColumnsMax columns; kCorruptData for what is no Parquet file;
/// kUnavailable when this installation has no Parquet library.
Result<std::vector<ParquetColumn>> DescribeParquetFiles(std::span<const DataFile> files);

/// `mine` widened by the categories of `other`; kInvalidArgument naming the column where the two do not fit.
Result<void> MergeParquetColumns(std::vector<ParquetColumn>& mine, const std::vector<ParquetColumn>& other);

inline constexpr std::size_t kParquetColumnsMax = 1'000'000;
/// Categories of one column; a float32 holds every code.
inline constexpr std::size_t kCategoriesMax = std::size_t{1} << 24;

struct ParquetOptions {
    std::vector<ParquetColumn> columns;  ///< as agreed on by everybody
    bool labeled = true;                 ///< column 0 is the label; false: every column is a feature
};

/// The rows of all files in order, in blocks of about a million values. Errors as above, with "file, row 17, column
/// 'x'"; an error of `consume` ends the load and is returned.
Result<void> LoadParquetBlocks(std::span<const DataFile> files, const ParquetOptions& options,
                               const std::function<Result<void>(LabeledRows&& block)>& consume);

}  // namespace espalier::data
