#include "base/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace espalier {
namespace {

Result<Fd> OpenPath(const std::string& path, int flags) {
    int fd;
    do {
        fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return ErrnoError("open " + path, errno);
    return Fd(fd);
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        Close();
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

Fd::~Fd() {
    Close();
}

void Fd::Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

Result<Fd> RealFs::Create(const std::string& path) {
    return OpenPath(path, O_CREAT | O_EXCL | O_RDWR);
}

Result<Fd> RealFs::OpenForReading(const std::string& path) {
    return OpenPath(path, O_RDONLY);
}

Result<std::uint64_t> RealFs::SizeOf(const Fd& file) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return ErrnoError("fstat", errno);
    return static_cast<std::uint64_t>(status.st_size);
}

Result<DiskSpace> RealFs::SpaceAround(const Fd& file) {
    struct statvfs space {};
    if (::fstatvfs(file.get(), &space) != 0) return ErrnoError("fstatvfs", errno);
    return DiskSpace{.free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize,
                     .total_bytes = std::uint64_t{space.f_blocks} * space.f_frsize};
}

Result<std::size_t> RealFs::ReadAt(const Fd& file, std::span<char> out, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t got =
            ::pread(file.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ErrnoError("read", errno);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Result<void> RealFs::Append(const Fd& file, std::span<const char> bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(file.get(), bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return ErrnoError("write", errno);
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
}

Result<void> RealFs::AppendRange(const Fd& to, const Fd& from, std::uint64_t offset, std::uint64_t size_bytes) {
    const std::uint64_t end = offset + size_bytes;
    auto at = static_cast<off64_t>(offset);
    while (static_cast<std::uint64_t>(at) < end) {
        const std::size_t step = std::min<std::uint64_t>(end - static_cast<std::uint64_t>(at), 64 << 20);
        const ssize_t copied = ::copy_file_range(from.get(), &at, to.get(), nullptr, step, 0);
        if (copied > 0) continue;
        if (copied == 0) return Error(ErrorCode::kCorruptData, "copy_file_range: the source file is too short");
        if (errno == EINTR) continue;
        // Two file systems, or one that cannot do it: by hand.
        if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
            return ErrnoError("copy_file_range", errno);
        }
        break;
    }
    std::vector<char> buffer(static_cast<std::uint64_t>(at) < end ? 1 << 20 : 0);
    while (static_cast<std::uint64_t>(at) < end) {
        const auto position = static_cast<std::uint64_t>(at);
        const std::span<char> step(buffer.data(), std::min<std::uint64_t>(buffer.size(), end - position));
        const std::size_t got = TRY(ReadAt(from, step, position));
        if (got != step.size()) return Error(ErrorCode::kCorruptData, "copy: the source file is too short");
        TRY(Append(to, step));
        at += static_cast<off64_t>(got);
    }
    return {};
}

Result<void> RealFs::Sync(const Fd& file) {
    // Not repeated on failure, EINTR aside: after an error the kernel may have marked lost pages clean.
    int result;
    do {
        result = ::fsync(file.get());
    } while (result != 0 && errno == EINTR);
    if (result != 0) return ErrnoError("fsync", errno);
    return {};
}

void RealFs::StartWriteback(const Fd& file, std::uint64_t offset, std::uint64_t size_bytes) {
    (void)::sync_file_range(file.get(), static_cast<off64_t>(offset), static_cast<off64_t>(size_bytes),
                            SYNC_FILE_RANGE_WRITE);
}

Result<void> RealFs::SyncFolder(const std::string& path) {
    Fd folder = TRY(OpenPath(path, O_RDONLY | O_DIRECTORY));
    TRY_MSG(Sync(folder), "sync folder " + path);
    return {};
}

Result<void> RealFs::Rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoError("rename " + from + " to " + to, errno);
    return {};
}

Result<void> RealFs::Link(const std::string& existing, const std::string& added) {
    if (::link(existing.c_str(), added.c_str()) == 0) return {};
    if (errno == EXDEV) return Error(ErrorCode::kConflict, "link " + added + ": on another file system");
    return ErrnoError("link " + existing + " as " + added, errno);
}

Result<void> RealFs::Remove(const std::string& path) {
    if (::unlink(path.c_str()) != 0) return ErrnoError("unlink " + path, errno);
    return {};
}

Result<void> RealFs::MakeFolder(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) == 0) return {};
    const int saved = errno;
    struct stat status {};
    if (saved == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
    return ErrnoError("mkdir " + path, saved);
}

Result<std::vector<std::string>> RealFs::List(const std::string& folder) {
    DIR* stream = ::opendir(folder.c_str());
    if (stream == nullptr) return ErrnoError("opendir " + folder, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
        errno = 0;
    }
    const int saved = errno;
    ::closedir(stream);
    if (saved != 0) return ErrnoError("readdir " + folder, saved);
    return names;
}

void FaultFs::Arm(std::uint64_t fail_at, bool and_after) {
    std::lock_guard lock(mutex_);
    num_calls_ = 0;
    fail_at_ = fail_at;
    and_after_ = and_after;
}

std::uint64_t FaultFs::num_calls() const {
    std::lock_guard lock(mutex_);
    return num_calls_;
}

Result<void> FaultFs::Count(const char* call, const std::string& what) {
    std::lock_guard lock(mutex_);
    ++num_calls_;
    if (fail_at_ == 0 || num_calls_ < fail_at_ || (num_calls_ > fail_at_ && !and_after_)) return {};
    return Error(ErrorCode::kIo, std::string(call) + " " + what + ": injected fault");
}

Result<Fd> FaultFs::Create(const std::string& path) {
    TRY(Count("create", path));
    return inner_.Create(path);
}

Result<Fd> FaultFs::OpenForReading(const std::string& path) {
    TRY(Count("open", path));
    return inner_.OpenForReading(path);
}

Result<std::uint64_t> FaultFs::SizeOf(const Fd& file) {
    TRY(Count("fstat", ""));
    return inner_.SizeOf(file);
}

Result<DiskSpace> FaultFs::SpaceAround(const Fd& file) {
    TRY(Count("fstatvfs", ""));
    DiskSpace space = TRY(inner_.SpaceAround(file));
    const std::lock_guard lock(mutex_);
    if (pretended_free_bytes_) space = {.free_bytes = *pretended_free_bytes_, .total_bytes = std::uint64_t{1} << 40};
    return space;
}

void FaultFs::PretendFree(std::optional<std::uint64_t> free_bytes) {
    const std::lock_guard lock(mutex_);
    pretended_free_bytes_ = free_bytes;
}

Result<std::size_t> FaultFs::ReadAt(const Fd& file, std::span<char> out, std::uint64_t offset) {
    TRY(Count("read", ""));
    return inner_.ReadAt(file, out, offset);
}

Result<void> FaultFs::Append(const Fd& file, std::span<const char> bytes) {
    Result<void> counted = Count("write", "");
    if (!counted) {
        (void)inner_.Append(file, bytes.first(bytes.size() / 2));
        return counted;
    }
    return inner_.Append(file, bytes);
}

Result<void> FaultFs::AppendRange(const Fd& to, const Fd& from, std::uint64_t offset, std::uint64_t size_bytes) {
    Result<void> counted = Count("copy_file_range", "");
    if (!counted) {
        (void)inner_.AppendRange(to, from, offset, size_bytes / 2);
        return counted;
    }
    return inner_.AppendRange(to, from, offset, size_bytes);
}

Result<void> FaultFs::Sync(const Fd& file) {
    TRY(Count("fsync", ""));
    return inner_.Sync(file);
}

void FaultFs::StartWriteback(const Fd& file, std::uint64_t offset, std::uint64_t size_bytes) {
    inner_.StartWriteback(file, offset, size_bytes);
}

Result<void> FaultFs::SyncFolder(const std::string& path) {
    TRY(Count("fsync", path));
    return inner_.SyncFolder(path);
}

Result<void> FaultFs::Rename(const std::string& from, const std::string& to) {
    TRY(Count("rename", from));
    return inner_.Rename(from, to);
}

Result<void> FaultFs::Link(const std::string& existing, const std::string& added) {
    TRY(Count("link", added));
    return inner_.Link(existing, added);
}

Result<void> FaultFs::Remove(const std::string& path) {
    TRY(Count("unlink", path));
    return inner_.Remove(path);
}

Result<void> FaultFs::MakeFolder(const std::string& path) {
    TRY(Count("mkdir", path));
    return inner_.MakeFolder(path);
}

Result<std::vector<std::string>> FaultFs::List(const std::string& folder) {
    TRY(Count("readdir", folder));
    return inner_.List(folder);
}

}  // namespace espalier
