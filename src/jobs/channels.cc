#include "jobs/channels.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <system_error>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::jobs {
namespace {

namespace filesystem = std::filesystem;

constexpr std::size_t kFileNameBytesMax = 255;  // NAME_MAX of every file system in use

bool IsFolderMarker(const store::ObjectInfo& object) {
    return object.size_bytes == 0 && object.key.ends_with('/');
}

/// A step of a path that the file system can hold.
std::string SafeStep(std::string_view step) {
    if (step == ".") return "%2E";
    if (step == "..") return "%2E%2E";
    if (step.size() <= kFileNameBytesMax) return std::string(step);
    // The digest keeps long names with a common start apart.
    const std::string digest = HexEncode(Sha256::Of(step)).substr(0, 16);
    std::size_t length = kFileNameBytesMax - digest.size() - 1;
    while (length > 0 && (static_cast<unsigned char>(step[length]) & 0xC0) == 0x80) --length;
    return fmt::format("{}~{}", step.substr(0, length), digest);
}

/// kInvalidArgument when two files of one instance cannot lie side by side: the same path, or one the folder of the
/// other.
Result<void> CheckPaths(const ChannelSpec& channel, const std::vector<ChannelFile>& files) {
    std::map<std::string, const ChannelFile*> by_path;
    const auto refuse = [&](const ChannelFile& a, const ChannelFile& b) {
        return Error(
            ErrorCode::kInvalidArgument,
            fmt::format("ClientError: Data download failed: the keys '{}' and '{}' of channel '{}' give the same "
                        "file name. Rename one of them.",
                        a.key, b.key, channel.name));
    };
    for (const ChannelFile& file : files) {
        const auto [found, added] = by_path.emplace(file.path, &file);
        if (!added) return refuse(*found->second, file);
    }
    for (const ChannelFile& file : files) {
        for (std::size_t slash = file.path.find('/'); slash != std::string::npos;
             slash = file.path.find('/', slash + 1)) {
            const auto found = by_path.find(file.path.substr(0, slash));
            if (found != by_path.end()) return refuse(*found->second, file);
        }
    }
    return {};
}

Result<void> CheckGzip(const ChannelSpec& channel, const ChannelFile& file, const std::string& path) {
    std::array<char, 2> start{};
    std::ifstream in(path, std::ios::binary);
    in.read(start.data(), start.size());
    if (in.gcount() == 0) return {};  // An empty file is no data in any format.
    if (in.gcount() == 2 && start[0] == '\x1f' && start[1] == '\x8b') return {};
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("ClientError: Data download failed: channel '{}' says CompressionType Gzip, but the object "
                    "s3://{}/{} is not gzip. Compress it, or leave CompressionType out.",
                    channel.name, channel.location.bucket, file.key));
}

}  // namespace

std::string ChannelFilePath(std::string_view key, std::string_view prefix) {
    std::string_view rest = key.substr(prefix.size());
    const bool prefix_is_folder = prefix.empty() || prefix.ends_with('/') || rest.starts_with('/');
    if (!prefix_is_folder) {
        // "p/tra" or the key itself: the prefix ends inside a name, which the file keeps whole.
        const std::size_t slash = prefix.rfind('/');
        rest = key.substr(slash == std::string_view::npos ? 0 : slash + 1);
    }
    std::string path;
    while (!rest.empty()) {
        const std::size_t slash = rest.find('/');
        const std::string_view step = rest.substr(0, slash);
        rest = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
        if (step.empty()) continue;
        if (!path.empty()) path += '/';
        path += SafeStep(step);
    }
    // A key of slashes only (with data in it) has no name of its own.
    return path.empty() ? "%2F" : path;
}

Result<void> ForEachObject(const store::ObjectStore& store, const store::S3Location& location,
                           const std::function<bool(const store::ObjectInfo&)>& visit) {
    const store::BucketName bucket = TRY(store::BucketName::Parse(location.bucket));
    store::ListRequest request;
    request.prefix = location.key;
    while (true) {
        const store::Listing listing = TRY(store.List(bucket, request));
        for (const store::ObjectInfo& object : listing.objects) {
            if (!IsFolderMarker(object) && !visit(object)) return {};
        }
        if (!listing.is_truncated) return {};
        request.start_after = listing.last;
    }
}

Result<bool> HasObjects(const store::ObjectStore& store, const store::S3Location& location) {
    bool found = false;
    Result<void> listed = ForEachObject(store, location, [&](const store::ObjectInfo&) {
        found = true;
        return false;
    });
    if (!listed && store::FaultOf(listed.error()) == store::Fault::kNoSuchBucket) return false;
    TRY(std::move(listed));
    return found;
}

Result<void> RequireObjects(const store::ObjectStore& store, const store::S3Location& location,
                            const std::string& region, const std::string& role) {
    if (TRY(HasObjects(store, location))) return {};
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("No S3 objects found under S3 URL \"s3://{}{}{}\" given in input data source. Please ensure "
                    "that the bucket exists in the selected region ({}), that objects exist under that S3 "
                    "prefix, and that {} has \"s3:ListBucket\" permissions on bucket \"{}\".",
                    location.bucket, location.key.empty() ? "" : "/", location.key, region, role, location.bucket));
}

Result<ChannelPlan> PlanChannel(const store::ObjectStore& store, const ChannelSpec& channel, int num_instances) {
    ChannelPlan plan(static_cast<std::size_t>(num_instances));
    std::size_t num_objects = 0;
    TRY(ForEachObject(store, channel.location, [&](const store::ObjectInfo& object) {
        const ChannelFile file = {.key = object.key, .path = ChannelFilePath(object.key, channel.location.key)};
        if (channel.sharded) {
            plan[num_objects % plan.size()].push_back(file);
        } else {
            for (auto& files : plan) files.push_back(file);
        }
        ++num_objects;
        return true;
    }));
    if (num_objects == 0) {
        return Error(ErrorCode::kNotFound, fmt::format("no objects under {}", channel.location.ToUri()));
    }
    for (const auto& files : plan) TRY(CheckPaths(channel, files));
    return plan;
}

Result<void> DownloadChannel(const store::ObjectStore& store, const ChannelSpec& channel, const ChannelPlan& plan,
                             const WorkFolder& folder, const std::function<bool()>& cancelled) {
    const store::BucketName bucket = TRY(store::BucketName::Parse(channel.location.bucket));
    for (std::size_t i = 0; i < plan.size(); ++i) {
        const std::string root = folder.ChannelFolder(static_cast<int>(i) + 1, channel);
        for (const ChannelFile& file : plan[i]) {
            if (cancelled()) return Error(ErrorCode::kCancelled, "the download was cancelled");
            const std::string path = fmt::format("{}/{}", root, file.path);
            std::error_code error;
            filesystem::create_directories(filesystem::path(path).parent_path(), error);
            if (error) return ErrnoError("make the folder of " + path, error.value());
            const store::ObjectKey key = TRY(store::ObjectKey::Parse(file.key));
            TRY_MSG(store.LinkInto(bucket, key, path), fmt::format("download s3://{}/{}", bucket.str(), file.key));
            if (channel.gzip) TRY(CheckGzip(channel, file, path));
        }
    }
    return {};
}

}  // namespace espalier::jobs
