// Data from files: every row of every file, in order.
//
// Steps: files are read in order and cut into blocks of about kTextBlockBytes at line ends; threads parse blocks;
// parsed blocks are put into file order. The borders of blocks do not depend on the number of threads, nor does the
// result. gzip is undone on the way. Parquet and RecordIO are read by readers of their own, in order. One pass, memory
// = the result + a few blocks per thread. Thread-compatible: a call starts its own threads and joins them.
#pragma once

#include <functional>
#include <span>

#include "base/result.h"
#include "data/compact_rows.h"
#include "data/data_files.h"
#include "data/load_options.h"

namespace espalier::data {

/// All rows of `files` to train or evaluate on. num_features is the highest index + 1 (libsvm) or the number of feature
/// columns (CSV).
/// kInvalidArgument with the place and the way to mend it, for example
///   "train/part-0.libsvm, line 17, column 23: 'x3' is not a feature index. Write index:value pairs with indices from
///   0."
/// kCorruptData for a broken gzip stream, kIo when a file cannot be read.
Result<TrainingRows> LoadRows(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report);

/// The rows to predict, block by block: libsvm labels are skipped if there; every CSV column is a feature, and text in
/// CSV is refused, unless options.labeled. `consume` gets the blocks in order, one call at a time, from any loading
/// thread. An error of `consume` ends the load and is returned.
Result<void> LoadRowBlocks(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report,
                           const std::function<Result<void>(const FeatureRows& block)>& consume);

}  // namespace espalier::data
