#include "jobs/trial_bins.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::jobs {
namespace {

namespace filesystem = std::filesystem;

/// Of the channel's files by name, size, inode and time of writing.
Result<std::string> IdentityOf(const std::string& channel_folder) {
    std::vector<std::string> files;
    std::error_code error;
    filesystem::recursive_directory_iterator walk(channel_folder, error);
    for (; !error && walk != filesystem::recursive_directory_iterator(); walk.increment(error)) {
        struct stat status {};
        const std::string path = walk->path().string();
        if (::stat(path.c_str(), &status) != 0) return ErrnoError("look at " + path, errno);
        if (!S_ISREG(status.st_mode)) continue;
        files.push_back(fmt::format("{}/{}/{}/{}.{}\n", path.substr(channel_folder.size()), status.st_size,
                                    status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec));
    }
    if (error) return ErrnoError("look at " + channel_folder, error.value());
    std::sort(files.begin(), files.end());
    return HexEncode(Sha256::Of(fmt::format("{}", fmt::join(files, ""))));
}

}  // namespace

std::string SharedBinsFolder(const std::string& jobs_folder, const meta::Scope& scope, const std::string& tuning_job) {
    const std::string name = fmt::format("{}/{}/{}", scope.account, scope.region, tuning_job);
    return fmt::format("{}/bins-{}", jobs_folder, HexEncode(Sha256::Of(name)).substr(0, 24));
}

Result<void> ShareBins(const JobSpec& spec, const WorkFolder& folder, const std::string& bins_folder) {
    const bool any_pipe = std::any_of(spec.channels.begin(), spec.channels.end(),
                                      [](const ChannelSpec& channel) { return channel.pipe; });
    if (spec.num_instances != 1 || any_pipe) return {};
    std::error_code error;
    filesystem::create_directories(bins_folder, error);
    if (error) return ErrnoError("make " + bins_folder, error.value());
    std::map<std::string, std::string> identities;
    for (const ChannelSpec& channel : spec.channels) {
        identities[channel.name] = TRY(IdentityOf(folder.ChannelFolder(1, channel)));
    }
    return folder.WriteSharing(bins_folder, identities);
}

}  // namespace espalier::jobs
