// BinnedCache: the bins of a job's channels in a file, so that jobs over the same channels (the trials of a tuning)
// read and bin the text once.
//
// A file's name is a hash of all that decides over its contents: the channels' identities as their owner gives them,
// how they are read, and the parameters of the bins. It is written beside its place, synced and renamed, so it is whole
// or not there; a lock file lets one process make it while the others wait. Readers map it, check its checksum and
// share its pages. A damaged file is made anew. Nobody removes files here: the owner of the folder does, at any time;
// who has one mapped keeps it. Format: docs/formats.md. Confined to one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/progress_mark.h"
#include "base/result.h"
#include "data/binned_matrix.h"
#include "data/load_options.h"

namespace espalier::learn {

/// One channel, binned, with all that training wants to know of it.
struct BinnedSet {
    data::BinnedMatrix matrix;
    std::vector<float> labels;
    std::vector<float> weights;
    std::vector<std::uint64_t> query_ids;
    std::uint32_t num_features = 0;
    std::uint64_t num_entries = 0;
    char csv_delimiter = 0;
    std::vector<std::string> warnings;
};

struct BinnedJob {
    data::BinLayout layout;
    std::vector<BinnedSet> sets;  ///< [channels]
};

class BinnedCache {
  public:
    /// `description`: one line per thing that decides over the bins.
    BinnedCache(std::string folder, const std::string& description);

    /// The job when its file is there and whole. Else nothing, and the caller should make it and Keep it: until this
    /// cache is gone, other processes wait (`mark`, which may be null, shows that). kIo when the folder cannot be used.
    Result<std::optional<BinnedJob>> Open(ProgressMark* mark = nullptr);
    /// Writes the file. kIo.
    Result<void> Keep(BinnedJob& job);
    const std::string& path() const { return path_; }

  private:
    Result<std::optional<BinnedJob>> Read() const;

    std::string folder_;
    std::string path_;
    Fd lock_;
};

}  // namespace espalier::learn
