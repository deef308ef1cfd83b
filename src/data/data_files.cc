#include "data/data_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

namespace espalier::data {
namespace {

namespace fs = std::filesystem;

constexpr char kHiddenFile[] = "Hidden file found in the data path! Remove that before training.";

bool StartsLikeGzip(int fd) {
    unsigned char magic[2] = {0, 0};
    return ::pread(fd, magic, sizeof magic, 0) == 2 && magic[0] == 0x1F && magic[1] == 0x8B;
}

// Adds the file unless it is empty or no regular file (a dangling link, a socket).
Result<void> AddFile(const std::string& path, std::string name, std::vector<DataFile>& files) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        int errno_value = errno;
        return ErrnoError(fmt::format("read {}", path), errno_value);
    }
    if (!S_ISREG(status.st_mode)) return {};
    if (fs::path(path).filename().string().starts_with('.')) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("{} It is {}.", kHiddenFile, name));
    }
    if (status.st_size == 0) return {};
    if (files.size() >= kDataFilesMax) {
        return Error(ErrorCode::kResourceLimit, fmt::format("there are more than {} data files", kDataFilesMax));
    }
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int errno_value = errno;
        return ErrnoError(fmt::format("open {}", path), errno_value);
    }
    bool gzip = StartsLikeGzip(fd);
    ::close(fd);
    files.push_back({path, std::move(name), static_cast<std::uint64_t>(status.st_size), gzip});
    return {};
}

Result<void> AddDirectory(const std::string& path, std::vector<DataFile>& files, std::vector<std::string>* warnings) {
    fs::path root = fs::path(path).lexically_normal();
    if (!root.has_filename()) root = root.parent_path();
    std::vector<std::string> relative_paths;
    std::vector<std::string> too_deep;
    std::error_code code;
    fs::recursive_directory_iterator walk(root, code);
    for (; !code && walk != fs::recursive_directory_iterator(); walk.increment(code)) {
        std::error_code ignored;
        if (walk->is_directory(ignored)) {
            // The folder given has depth 1, its folders 2.
            if (walk.depth() + 2 <= kFolderDepthMax) continue;
            walk.disable_recursion_pending();
            too_deep.push_back(walk->path().string());
            continue;
        }
        relative_paths.push_back(walk->path().lexically_relative(root).string());
    }
    if (code) return Error(ErrorCode::kIo, fmt::format("read the folder {}: {}", path, code.message()));
    std::sort(relative_paths.begin(), relative_paths.end());
    std::sort(too_deep.begin(), too_deep.end());
    for (const std::string& folder : too_deep) {
        if (warnings == nullptr) break;
        warnings->push_back(
            fmt::format("The depth of folder {} exceed the limit {}. Files in deeper sub dirs won't be loaded. Please "
                        "adjust the folder structure accordingly.",
                        folder, kFolderDepthMax));
    }
    std::string channel = root.filename().string();
    for (const std::string& relative : relative_paths) {
        TRY(AddFile((root / relative).string(), channel.empty() ? relative : channel + "/" + relative, files));
    }
    return {};
}

}  // namespace

Result<std::vector<DataFile>> FindDataFiles(std::span<const std::string> paths, std::vector<std::string>* warnings) {
    std::vector<DataFile> files;
    for (const std::string& path : paths) {
        std::error_code code;
        fs::file_status status = fs::status(path, code);
        if (status.type() == fs::file_type::not_found) {
            return Error(ErrorCode::kNotFound, fmt::format("{} does not exist", path));
        }
        if (code) return Error(ErrorCode::kIo, fmt::format("read {}: {}", path, code.message()));
        if (fs::is_directory(status)) {
            TRY(AddDirectory(path, files, warnings));
        } else if (fs::is_regular_file(status)) {
            TRY(AddFile(path, fs::path(path).filename().string(), files));
        } else {
            return Error(ErrorCode::kInvalidArgument, fmt::format("{} is neither a file nor a folder", path));
        }
    }
    return files;
}

std::vector<std::string> DescribeSharedData(std::span<const std::string> train_paths,
                                            std::span<const DataFile> train_files,
                                            std::span<const std::string> validation_paths,
                                            std::span<const DataFile> validation_files) {
    for (const std::string& path : validation_paths) {
        if (std::find(train_paths.begin(), train_paths.end(), path) != train_paths.end()) {
            return {
                "Found same path for training and validation. This is not recommended and results may not be correct."};
        }
    }
    std::multimap<std::pair<std::string, std::uint64_t>, const DataFile*> trained_on;
    const auto identity = [](const DataFile& file) {
        return std::pair(fs::path(file.name).filename().string(), file.size_bytes);
    };
    for (const DataFile& file : train_files) trained_on.emplace(identity(file), &file);
    std::vector<std::string> warnings;
    for (const DataFile& file : validation_files) {
        const auto twin = trained_on.find(identity(file));
        if (twin == trained_on.end()) continue;
        // The missing blank is the images'.
        warnings.push_back(fmt::format(
            "Suspected identical files found. ({} and {}with same size {} bytes). Note: Duplicate data in the training "
            "set and validation set is usually not intentional and can impair the validity of the model evaluation by "
            "the validation score.",
            twin->second->path, file.path, file.size_bytes));
    }
    return warnings;
}

}  // namespace espalier::data
