// Which files of a channel are read, and in what order.
//
// A path names a directory (a channel; walked kFolderDepthMax folders deep, itself the first), or a file. Files are
// sorted by their path relative to the directory given, bytewise, so that the row order does not depend on the file
// system. Empty files are left out, a file whose name starts with "." is refused, as the images do. Symbolic links to
// files are followed, to directories not. gzip is recognised by its first two bytes, not by the name. Source:
// contracts/xgboost.md 2.2. Thread-safe: pure functions.
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
/// warnings, when given, gets the images' sentence for each folder that lies too deep and is left out.
Result<std::vector<DataFile>> FindDataFiles(std::span<const std::string> paths,
                                            std::vector<std::string>* warnings = nullptr);

/// The images' sentences for data that is trained and validated on alike: the same path twice, or files of one name and
/// size in both.
std::vector<std::string> DescribeSharedData(std::span<const std::string> train_paths,
                                            std::span<const DataFile> train_files,
                                            std::span<const std::string> validation_paths,
                                            std::span<const DataFile> validation_files);

inline constexpr std::size_t kDataFilesMax = 1'000'000;
inline constexpr int kFolderDepthMax = 3;

}  // namespace espalier::data
