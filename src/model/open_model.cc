#include "model/open_model.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/archive.h"

namespace espalier::model {
namespace {

constexpr std::size_t kListedNamesMax = 5;

Result<std::string> ReadOpenFile(int fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
        int errno_value = errno;
        return ErrnoError(fmt::format("read {}", path), errno_value);
    }
    if (!S_ISREG(status.st_mode)) return Error(ErrorCode::kInvalidArgument, fmt::format("{} is not a file", path));
    if (static_cast<std::uint64_t>(status.st_size) > kModelFileBytesMax) {
        return Error(ErrorCode::kResourceLimit, fmt::format("{} is larger than {} bytes", path, kModelFileBytesMax));
    }
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t size = 0;
    while (size < bytes.size()) {
        ssize_t got = ::read(fd, bytes.data() + size, bytes.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            int errno_value = errno;
            return ErrnoError(fmt::format("read {}", path), errno_value);
        }
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    bytes.resize(size);
    return bytes;
}

Result<std::string> ReadFile(const std::string& path) {
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int errno_value = errno;
        return ErrnoError(fmt::format("open {}", path), errno_value);
    }
    Result<std::string> bytes = ReadOpenFile(fd, path);
    ::close(fd);
    return bytes;
}

std::string ListNames(const std::vector<ArchiveMember>& members) {
    if (members.empty()) return "nothing";
    std::string names;
    for (std::size_t i = 0; i < std::min(members.size(), kListedNamesMax); ++i)
        names += (i > 0 ? ", " : "") + members[i].name;
    if (members.size() > kListedNamesMax) names += fmt::format(" and {} more", members.size() - kListedNamesMax);
    return names;
}

Error NoModel(const std::vector<ArchiveMember>& members) {
    return Error(ErrorCode::kCorruptData,
                 fmt::format("there is no model file in it: it should hold \"{}\" at its top level, and holds {}",
                             kModelFileName, ListNames(members)));
}

}  // namespace

Result<std::vector<const ArchiveMember*>> FindModelMembers(const std::vector<ArchiveMember>& members) {
    std::vector<const ArchiveMember*> found;
    for (const ArchiveMember& member : members) {
        if (member.name == kModelFileName) return std::vector<const ArchiveMember*>{&member};
        if (member.name.find('/') == std::string::npos && !member.name.starts_with('.')) found.push_back(&member);
    }
    if (found.empty()) return NoModel(members);
    std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
    return found;
}

Result<const ArchiveMember*> FindModelMember(const std::vector<ArchiveMember>& members) {
    std::vector<const ArchiveMember*> found = TRY(FindModelMembers(members));
    if (found.size() != 1) return NoModel(members);
    return found[0];
}

Result<OpenedModel> OpenModel(const std::string& path) {
    std::string bytes = TRY(ReadFile(path));
    OpenedModel opened;
    if (bytes.starts_with("\x1f\x8b")) {
        ArchiveLimits limits;
        limits.total_bytes_max = kModelFileBytesMax;
        std::vector<ArchiveMember> members = TRY_MSG(ReadTarGz(bytes, limits), path);
        const ArchiveMember* member = TRY_MSG(FindModelMember(members), path);
        opened.member = member->name;
        bytes = member->bytes;
    }
    std::string shown = opened.member.empty() ? path : path + ", " + opened.member;
    opened.size_bytes = bytes.size();
    opened.format = TRY_MSG(DetectModelFormat(bytes), shown);
    opened.ensemble = TRY_MSG(ReadModel(bytes), shown);
    return opened;
}

}  // namespace espalier::model
