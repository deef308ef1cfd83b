#include "jobs/full_disk.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace espalier::jobs {

std::string FullDiskHint(const std::string& folder) {
    // Less than a model or a reason takes, more than a file system keeps of a disk that is full.
    constexpr std::uint64_t kNextToNothing = 256 << 10;
    struct statvfs space {};
    if (::statvfs(folder.c_str(), &space) != 0) return "";
    if (std::uint64_t{space.f_bavail} * space.f_frsize >= kNextToNothing) return "";
    return fmt::format(" {}: {}.", folder, std::strerror(ENOSPC));
}

}  // namespace espalier::jobs
