// How data files are to be read, and what was noticed on the way. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/progress_mark.h"
#include "data/content_type.h"
#include "data/feature_rows.h"
#include "data/parquet.h"

namespace espalier::data {

inline constexpr int kLoadThreadsMax = 256;

struct LoadOptions {
    InputFormat format = InputFormat::kLibsvm;
    int num_threads = 1;                                 ///< 1..kLoadThreadsMax
    bool csv_weights = false;                            ///< CSV: column 1 holds the row's weight
    ContentTypeRules rules = ContentTypeRules::kModern;  ///< whose sentences errors are told in
    /// Rows to predict only: true when the data has labels all the same, which are then skipped (CSV: the first column
    /// is no feature, and text counts as missing).
    bool labeled = false;
    std::uint32_t feature_idx_max = kFeatureIdxMax;
    std::vector<ParquetColumn> parquet_columns;  ///< Parquet: as all files of all channels have them
    /// Training rows beyond this many bytes, in their compact form, go to a scratch file in spill_folder; 0: none do.
    std::size_t memory_bytes_max = 0;
    std::string spill_folder;
    /// Called now and then with the bytes read from disk so far, from any loading thread but never from two at once.
    std::function<void(std::uint64_t bytes_read)> on_progress;
    ProgressMark* mark = nullptr;  ///< moved with each block; borrowed
};

struct LoadReport {
    char csv_delimiter = 0;  ///< 0 unless CSV
    /// Sentences worth a warning: CSV cells of text that count as missing, with the place of the first.
    std::vector<std::string> warnings;
    std::vector<std::uint64_t> rows_of_file;  ///< [files] training rows of each
};

}  // namespace espalier::data
