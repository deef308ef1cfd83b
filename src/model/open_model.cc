#include "model/open_model.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/archive.h"

namespace espalier::model {
namespace {

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

Result<const ArchiveMember*> FindModelMember(const std::vector<ArchiveMember>& members) {
    const ArchiveMember* only = nullptr;
    for (const ArchiveMember& member : members) {
        if (member.name == "xgboost-model") return &member;
        if (member.name.starts_with('.') || member.name.find('/') != std::string::npos) continue;
        if (only != nullptr) {
            return Error(ErrorCode::kCorruptData, "the archive holds several files and none is called xgboost-model");
        }
        only = &member;
    }
    if (only == nullptr) return Error(ErrorCode::kCorruptData, "the archive holds no model file at its top level");
    return only;
}

}  // namespace

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
