// A channel's files become a data set, with a place for every row among those of all ranks.
//
// Row identity is (file in the order of names over all ranks, then rank, line): sampling keys on it, so a job over two
// instances draws as one instance with all files would. Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "collective/comm.h"
#include "data/content_type.h"
#include "data/data_files.h"
#include "data/load_rows.h"
#include "learn/trainer.h"

namespace espalier::learn {

/// Highest feature index that training takes. Each feature costs some 300 bytes before the first row is seen, so a
/// mistyped index must not decide over the machine's memory.
inline constexpr std::uint32_t kTrainingFeatureIdxMax = (1U << 22) - 1;

struct ChannelFiles {
    std::string name;
    std::vector<std::string> paths;  ///< folders or files
    data::InputFormat format = data::InputFormat::kLibsvm;
    data::ContentTypeRules rules = data::ContentTypeRules::kModern;  ///< whose sentences errors are told in
    bool csv_weights = false;
    bool ignores_weights = false;                           ///< every row counts the same, whatever weight it has
    std::vector<data::DataFile> files;                      ///< found in the paths
    std::vector<data::ParquetColumn> parquet_columns = {};  ///< AgreeOnParquetColumns; Parquet only
    std::uint64_t size_bytes() const;
};

struct ChannelLoadOptions {
    int num_threads = 1;
    /// Also find out where the rows are among those of all ranks; every rank must call then.
    bool identities = false;
    std::size_t memory_bytes_max = 0;  ///< rows beyond lie in a scratch file in scratch_folder; 0: none do
    std::string scratch_folder = {};
    std::function<void(std::uint64_t bytes_read)> on_progress = {};
    ProgressMark* mark = nullptr;  ///< moved with each block; borrowed
};

/// The rows of `channel.files`. Errors are data/load_rows.h's.
Result<DataSet> LoadChannel(const ChannelFiles& channel, const ChannelLoadOptions& how, collective::Comm& comm,
                            data::LoadReport& report);

/// The same error on every rank when one or more has one: the first rank's, which is marked with that instance's name.
/// Every rank calls it; `mine` is null when all is well.
Result<void> AgreeOnErrors(const Error* mine, std::span<const std::string> hosts, collective::Comm& comm);

}  // namespace espalier::learn
