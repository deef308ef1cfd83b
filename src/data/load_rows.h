// Training data from files: every line of every file, in order, as labelled rows.
//
// Steps: files are read in order and cut into blocks of about kTextBlockBytes at line ends; threads parse blocks;
// parsed blocks are handed over in file order. The borders of blocks do not depend on the number of threads, nor does
// the result. gzip is undone on the way. Parquet and RecordIO are read by readers of their own, in order. One pass,
// memory = the result + a few blocks per thread. Thread-compatible: a call starts its own threads and joins them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/content_type.h"
#include "data/data_files.h"
#include "data/feature_rows.h"
#include "data/parquet.h"

namespace espalier::data {

inline constexpr int kLoadThreadsMax = 256;
inline constexpr std::size_t kTextBlockBytes = std::size_t{1} << 20;
/// A line may not be longer than this (a row of 10 million features is about 100 MB of text).
inline constexpr std::size_t kTextLineBytesMax = std::size_t{1} << 28;

struct LoadOptions {
    InputFormat format = InputFormat::kLibsvm;
    int num_threads = 1;       ///< 1..kLoadThreadsMax
    bool csv_weights = false;  ///< CSV: column 1 holds the row's weight
    /// False reads data to predict: libsvm labels are skipped if there, every CSV column is a feature, text in CSV is
    /// refused; labels, weights and query_ids stay empty.
    bool labeled = true;
    std::uint32_t feature_idx_max = kFeatureIdxMax;
    std::vector<ParquetColumn> parquet_columns;  ///< Parquet: as all files of all channels have them
    /// Called now and then with the bytes read from disk so far, from any loading thread but never from two at once.
    std::function<void(std::uint64_t bytes_read)> on_progress;
};

/// What the reader noticed on the way, for the log.
struct LoadReport {
    char csv_delimiter = 0;  ///< 0 unless CSV
    /// Sentences worth a warning: CSV cells of text that count as missing, with the place of the first.
    std::vector<std::string> warnings;
};

/// All rows of `files`. num_features is the highest index + 1 (libsvm) or the number of feature columns (CSV).
/// kInvalidArgument with the place and the way to mend it, for example
///   "train/part-0.libsvm, line 17, column 23: 'x3' is not a feature index. Write index:value pairs with indices from
///   0."
/// kCorruptData for a broken gzip stream, kIo when a file cannot be read.
Result<LabeledRows> LoadRows(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report);

/// The same rows block by block, for callers that do not keep the text's values: `consume` gets the blocks in order,
/// one call at a time, from any loading thread, and may move them out. An error of `consume` ends the load and is
/// returned.
Result<void> LoadRowBlocks(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report,
                           const std::function<Result<void>(LabeledRows&& block)>& consume);

}  // namespace espalier::data
