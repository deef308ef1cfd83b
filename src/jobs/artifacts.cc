#include "jobs/artifacts.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "base/archive.h"

namespace espalier::jobs {
namespace {

namespace filesystem = std::filesystem;

constexpr const char* kModelFile = "xgboost-model";

}  // namespace

bool HasModel(const WorkFolder& folder) {
    std::error_code error;
    const std::string path = folder.ModelFolder() + "/" + kModelFile;
    return filesystem::is_regular_file(path, error) || filesystem::is_regular_file(path + "-0", error);
}

Result<void> PackModel(const JobSpec& spec, const WorkFolder& folder, UnixMillis now) {
    if (!spec.gzip_output) return {};
    const std::vector<ArchiveSource> sources = TRY(ListArchiveSources(folder.ModelFolder()));
    return WriteTarGz(folder.ModelArchivePath(), sources, now);
}

bool IsPacked(const JobSpec& spec, const WorkFolder& folder) {
    std::error_code error;
    return spec.gzip_output && filesystem::is_regular_file(folder.ModelArchivePath(), error);
}

Result<void> UploadFile(store::ObjectStore& store, const store::S3Location& target, const std::string& path,
                        std::string_view what) {
    const store::BucketName bucket = TRY(store::BucketName::Parse(target.bucket));
    const auto key = store::ObjectKey::Parse(target.key);
    if (!key) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("ClientError: The {} cannot be stored at {}: {}. Choose a shorter S3OutputPath.", what,
                                 target.ToUri(), key.error().message()));
    }
    auto stored = store.PutFile(bucket, *key, path, {});
    if (stored) return {};
    if (store::FaultOf(stored.error()) == store::Fault::kNoSuchBucket) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("ClientError: The {} cannot be stored at {}: the bucket '{}' does not exist. Create "
                                 "it, or give another S3OutputPath.",
                                 what, target.ToUri(), target.bucket));
    }
    return std::move(stored).error().Wrap("upload " + target.ToUri());
}

namespace {

Result<void> UploadModel(store::ObjectStore& store, const JobSpec& spec, const WorkFolder& folder) {
    const store::S3Location target = spec.ModelArtifacts();
    if (spec.gzip_output) return UploadFile(store, target, folder.ModelArchivePath(), "model");
    for (const ArchiveSource& source : TRY(ListArchiveSources(folder.ModelFolder()))) {
        TRY(UploadFile(store, target.Join(source.name), source.path, "model"));
    }
    return {};
}

Result<void> UploadOutputData(store::ObjectStore& store, const JobSpec& spec, const WorkFolder& folder,
                              UnixMillis now) {
    const std::vector<ArchiveSource> sources = TRY(ListArchiveSources(folder.OutputDataFolder()));
    if (sources.empty()) return {};
    const std::string path = folder.path() + "/output.tar.gz";
    TRY(WriteTarGz(path, sources, now));
    return UploadFile(store, spec.output.Join(fmt::format("{}/output/output.tar.gz", spec.name)), path, "output");
}

}  // namespace

Result<void> UploadArtifacts(store::ObjectStore& store, const JobSpec& spec, const WorkFolder& folder, UnixMillis now) {
    TRY(UploadModel(store, spec, folder));
    return UploadOutputData(store, spec, folder, now);
}

}  // namespace espalier::jobs
