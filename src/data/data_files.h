// Which files of a channel are read, and in what order.
//
// A path names a directory (a channel; walked to every depth), or a file. Files are sorted by their path relative to
// the directory given, bytewise, so that the row order does not depend on the file system. Empty files are left out, a
// file whose name starts with "." is refused, as the images do. Symbolic links to files are followed, to directories
// not. gzip is recognised by its first two bytes, not by the name. Source: contracts/xgboost.md 2.2.
// Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace espalier::data {

struct DataFile {
    std::string path;  ///< what open() takes
    std::string name;  ///< what messages say: "train/part-0.libsvm" for <channel directory train>/part-0.libsvm
    std::uint64_t size_bytes = 0;  ///< on disk, compressed
    bool gzip = false;
};

/// All files of the paths, in the order of the paths and sorted within each. May be empty: a channel without data is
/// told by the caller, who knows the channel's name and whether another host has some.
/// kNotFound when a path does not exist; kInvalidArgument for a hidden file; kIo when a folder cannot be read;
/// kResourceLimit over kDataFilesMax files.
Result<std::vector<DataFile>> FindDataFiles(std::span<const std::string> paths);

inline constexpr std::size_t kDataFilesMax = 1'000'000;

}  // namespace espalier::data
