#include "learn/published_file.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/fs.h"

namespace espalier::learn {

Result<void> PublishFile(std::string_view bytes, const std::string& staging, const std::string& path) {
    const std::filesystem::path target(path);
    const std::string folder = target.has_parent_path() ? target.parent_path().string() : ".";
    RealFs fs;
    const auto write_all = [&]() -> Result<void> {
        unlink(staging.c_str());
        const Fd file = TRY(fs.Create(staging));
        TRY(fs.Append(file, bytes));
        TRY(fs.Sync(file));
        // Staging files are private; what is published is read by whoever may read the folder.
        if (fchmod(file.get(), 0644) != 0) return ErrnoError("chmod " + staging, errno);
        TRY(fs.Rename(staging, path));
        return fs.SyncFolder(folder);
    };
    Result<void> written = write_all();
    if (!written.has_value()) unlink(staging.c_str());
    return written;
}

namespace {

Result<void> PublishModelBytes(std::string_view bytes, const std::string& path) {
    const std::filesystem::path target(path);
    const std::string folder = target.has_parent_path() ? target.parent_path().string() : ".";
    // One name, so that what a killed process has left is overwritten.
    const std::string staging = fmt::format("{}/.{}.staging", folder, target.filename().string());
    TRY_MSG(PublishFile(bytes, staging, path), "write the model file");
    return {};
}

}  // namespace

Result<void> PublishModel(const model::TreeEnsemble& ensemble, model::ModelFormat format, const std::string& path) {
    return PublishModelBytes(model::WriteModel(ensemble, format), path);
}

Result<void> PublishModel(const model::TreeEnsemble& ensemble, ModelRelease release, const std::string& path) {
    if (release == ModelRelease::k1_7) {
        const auto bytes = model::WriteOldModel(ensemble, model::ModelFormat::kUbjson);
        if (bytes.has_value()) return PublishModelBytes(*bytes, path);
    }
    return PublishModel(ensemble, model::ModelFormat::kUbjson, path);
}

}  // namespace espalier::learn
