#include "jobs/checkpoint_sync.h"

#include <filesystem>
#include <optional>
#include <system_error>

#include "jobs/channels.h"

namespace espalier::jobs {
namespace {

namespace filesystem = std::filesystem;

bool IsPrivate(const std::string& name) {
    return name.ends_with(".sagemaker-ignore") || name.ends_with(".sagemaker-uploading") ||
           name.ends_with(".sagemaker-uploaded");
}

/// Nothing when the file has gone meanwhile.
std::optional<std::pair<std::int64_t, std::uint64_t>> StateOf(const filesystem::path& path) {
    std::error_code error;
    const auto time = filesystem::last_write_time(path, error);
    if (error) return std::nullopt;
    const std::uintmax_t size_bytes = filesystem::file_size(path, error);
    if (error) return std::nullopt;
    return std::pair(static_cast<std::int64_t>(time.time_since_epoch().count()), size_bytes);
}

}  // namespace

Result<void> CheckpointSync::Download(const std::function<bool()>& cancelled) {
    if (!spec_.checkpoints.has_value()) return {};
    const store::S3Location& location = *spec_.checkpoints;
    const store::BucketName bucket = TRY(store::BucketName::Parse(location.bucket));
    Result<void> linked;
    Result<void> listed = ForEachObject(store_, location, [&](const store::ObjectInfo& object) {
        if (cancelled()) {
            linked = Error(ErrorCode::kCancelled, "the download was cancelled");
            return false;
        }
        const std::string name = ChannelFilePath(object.key, location.key);
        const filesystem::path path = filesystem::path(folder_.CheckpointFolder()) / name;
        std::error_code error;
        filesystem::create_directories(path.parent_path(), error);
        if (!filesystem::exists(path, error)) {
            auto info = store_.LinkInto(bucket, *store::ObjectKey::Parse(object.key), path.string());
            if (!info) linked = std::move(info).error().Wrap("download the checkpoint " + object.key);
        }
        if (const auto state = StateOf(path); state.has_value()) stored_.insert_or_assign(name, *state);
        return linked.has_value();
    });
    TRY(std::move(linked));
    if (!listed && store::FaultOf(listed.error()) == store::Fault::kNoSuchBucket) {
        return Error(ErrorCode::kInvalidArgument,
                     "ClientError: CheckpointConfig.S3Uri " + location.ToUri() + ": there is no such bucket.");
    }
    return listed;
}

Result<void> CheckpointSync::Upload() {
    if (!spec_.checkpoints.has_value()) return {};
    const store::BucketName bucket = TRY(store::BucketName::Parse(spec_.checkpoints->bucket));
    Result<void> first_failure;
    std::error_code error;
    for (const auto& entry : filesystem::directory_iterator(folder_.CheckpointFolder(), error)) {
        const std::string name = entry.path().filename().string();
        const auto state = StateOf(entry.path());
        if (IsPrivate(name) || !state.has_value() || !entry.is_regular_file(error)) continue;
        if (const auto known = stored_.find(name); known != stored_.end() && known->second == *state) continue;
        const std::string uri_key = spec_.checkpoints->Join(name).key;
        const store::ObjectKey key = TRY(store::ObjectKey::Parse(uri_key));
        auto stored = store_.PutFile(bucket, key, entry.path().string(), {});
        if (stored) {
            stored_.insert_or_assign(name, *state);
        } else if (filesystem::exists(entry.path(), error) && first_failure) {
            // One that the trainer has removed meanwhile is no failure.
            first_failure = std::move(stored).error().Wrap("store the checkpoint " + uri_key);
        }
    }
    return first_failure;
}

}  // namespace espalier::jobs
