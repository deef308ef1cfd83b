#include "base/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>

namespace espalier {
namespace {

constexpr std::size_t kInflateBlockBytes = 256 << 10;
constexpr int kGzipWindowBits = 15 + 16;  // 32 KiB window, gzip wrapper with its CRC checked

/// Undoes gzip block by block and keeps the limits; hands blocks to libarchive through Read.
class GzipSource {
  public:
    GzipSource(std::span<const char> packed, const ArchiveLimits& limits) : packed_(packed), limits_(limits) {}
    ~GzipSource() {
        if (open_) inflateEnd(&stream_);
    }
    GzipSource(const GzipSource&) = delete;
    GzipSource& operator=(const GzipSource&) = delete;

    /// The next block; empty at the end. The view is valid until the next call.
    Result<std::span<const char>> Next() {
        if (!open_) TRY(Open());
        stream_.next_out = reinterpret_cast<Bytef*>(block_.data());
        stream_.avail_out = static_cast<uInt>(block_.size());
        while (stream_.avail_out == block_.size() && !done_) {
            FeedInput();
            int code = inflate(&stream_, Z_NO_FLUSH);
            if (code == Z_STREAM_END) {
                TRY(NextGzipMember());
            } else if (code == Z_BUF_ERROR || (code == Z_OK && InputLeft() == 0 && stream_.avail_out != 0)) {
                return Error(ErrorCode::kCorruptData, "the archive is truncated: its gzip data stop before their end");
            } else if (code != Z_OK) {
                return Error(ErrorCode::kCorruptData, fmt::format("the archive's gzip data are corrupt ({})",
                                                                  stream_.msg ? stream_.msg : "bad data"));
            }
        }
        std::size_t size = block_.size() - stream_.avail_out;
        total_ += size;
        TRY(CheckLimits());
        return std::span<const char>(block_.data(), size);
    }

  private:
    Result<void> Open() {
        if (packed_.size() < 2 || packed_[0] != '\x1f' || packed_[1] != '\x8b')
            return Error(ErrorCode::kCorruptData,
                         packed_.empty() ? "the archive is empty (0 bytes)" : "the archive is not in gzip format");
        if (inflateInit2(&stream_, kGzipWindowBits) != Z_OK)
            return Error(ErrorCode::kInternal, "zlib could not be started");
        open_ = true;
        return {};
    }

    /// zlib counts input in 32 bits: give it the rest in pieces.
    void FeedInput() {
        if (stream_.avail_in != 0) return;
        std::size_t piece = std::min<std::size_t>(packed_.size() - given_, 1 << 30);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed_.data() + given_));
        stream_.avail_in = static_cast<uInt>(piece);
        given_ += piece;
    }
    std::size_t InputLeft() const { return packed_.size() - given_ + stream_.avail_in; }

    /// gzip files may be glued together (RFC 1952, 2.2); zeros may pad the end; other bytes after it are an error.
    Result<void> NextGzipMember() {
        std::span<const char> rest = packed_.subspan(packed_.size() - InputLeft());
        if (rest.size() >= 2 && rest[0] == '\x1f' && rest[1] == '\x8b') {
            inflateReset(&stream_);
            return {};
        }
        if (!std::all_of(rest.begin(), rest.end(), [](char c) { return c == 0; }))
            return Error(ErrorCode::kCorruptData, "the archive has bytes that do not belong to it after its gzip data");
        done_ = true;
        return {};
    }

    Result<void> CheckLimits() const {
        if (total_ > limits_.total_bytes_max)
            return Error(ErrorCode::kResourceLimit,
                         fmt::format("the archive unpacks to more than {} bytes", limits_.total_bytes_max));
        if (total_ > limits_.ratio_free_bytes && total_ / limits_.ratio_max > packed_.size())
            return Error(ErrorCode::kResourceLimit,
                         fmt::format("the archive unpacks to more than {} times its size", limits_.ratio_max));
        return {};
    }

    std::span<const char> packed_;
    const ArchiveLimits& limits_;
    z_stream stream_{};
    std::size_t given_ = 0;
    std::uint64_t total_ = 0;
    bool open_ = false;
    bool done_ = false;
    std::vector<char> block_ = std::vector<char>(kInflateBlockBytes);
};

/// What libarchive's read callback sees; keeps our error, since libarchive can only say "failed".
struct TarInput {
    GzipSource source;
    std::optional<Error> error;
};

la_ssize_t ReadBlock(archive*, void* client, const void** buffer) {
    auto* input = static_cast<TarInput*>(client);
    Result<std::span<const char>> block = input->source.Next();
    if (!block) {
        input->error = std::move(block).error();
        return -1;
    }
    *buffer = block->data();
    return static_cast<la_ssize_t>(block->size());
}

struct ArchiveReadCloser {
    void operator()(archive* handle) const { archive_read_free(handle); }
};
struct ArchiveWriteCloser {
    void operator()(archive* handle) const { archive_write_free(handle); }
};
struct EntryCloser {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

Error TarError(TarInput& input, archive* handle) {
    if (input.error) return std::move(*input.error);
    const char* text = archive_error_string(handle);
    return {ErrorCode::kCorruptData,
            fmt::format("the archive's tar data are corrupt ({})", text ? text : "unreadable")};
}

Error Refused(std::string_view name, std::string_view why) {
    return {ErrorCode::kInvalidArgument, fmt::format("the archive's member \"{}\" {}", name, why)};
}

/// Control bytes would let a name forge log lines and error texts.
std::string Printable(std::string_view name) {
    std::string out(name.substr(0, 200));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return out;
}

/// The name with "./" and doubled slashes taken out; an error when it could point outside.
Result<std::string> CleanName(std::string_view name, const ArchiveLimits& limits) {
    if (name.size() > limits.name_bytes_max)
        return Error(ErrorCode::kResourceLimit,
                     fmt::format("the archive has a member name longer than {} bytes", limits.name_bytes_max));
    if (name.starts_with('/')) return Refused(Printable(name), "has an absolute name");
    std::string clean;
    for (std::size_t begin = 0; begin <= name.size();) {
        std::size_t end = std::min(name.find('/', begin), name.size());
        std::string_view step = name.substr(begin, end - begin);
        if (step == "..") return Refused(Printable(name), "has a \"..\" in its name");
        if (!step.empty() && step != ".") {
            if (!clean.empty()) clean += '/';
            clean += step;
        }
        begin = end + 1;
    }
    return clean;
}

/// True for a regular file, false for a directory, else an error that names the member.
Result<bool> IsWantedKind(archive_entry* entry, std::string_view name) {
    if (archive_entry_hardlink(entry) != nullptr) return Refused(name, "is a hard link");
    switch (archive_entry_filetype(entry)) {
        case AE_IFREG:
            return true;
        case AE_IFDIR:
            return false;
        case AE_IFLNK:
            return Refused(name, "is a symbolic link");
        default:
            return Refused(name, "is a device, socket or pipe");
    }
}

Result<std::string> ReadMemberBytes(archive* handle, archive_entry* entry, TarInput& input, const ArchiveLimits& limits,
                                    std::string_view name) {
    auto too_large = [&] {
        return Error(ErrorCode::kResourceLimit,
                     fmt::format("the archive's member \"{}\" is larger than {} bytes", name, limits.total_bytes_max));
    };
    // A sparse member's size is not backed by bytes of the stream, so it is bounded here and not by the gzip layer.
    if (archive_entry_sparse_count(entry) > 0) return Refused(name, "is a sparse file");
    la_int64_t size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > limits.total_bytes_max) return too_large();
    std::string bytes;
    // A header may claim more than the stream holds: grow with the data beyond the first 16 MiB.
    bytes.reserve(std::min<std::size_t>(static_cast<std::size_t>(size), 16 << 20));
    while (true) {
        const void* block = nullptr;
        std::size_t block_size = 0;
        la_int64_t offset = 0;
        int code = archive_read_data_block(handle, &block, &block_size, &offset);
        if (code == ARCHIVE_EOF) break;
        if (code != ARCHIVE_OK) return TarError(input, handle);
        if (static_cast<std::uint64_t>(offset) != bytes.size()) return Refused(name, "is a sparse file");
        if (bytes.size() + block_size > limits.total_bytes_max) return too_large();
        bytes.append(static_cast<const char*>(block), block_size);
    }
    return bytes;
}

/// The tar stream ends before the gzip stream does; the rest must still be sound, else the CRC is never looked at.
Result<void> DrainGzip(TarInput& input) {
    while (true) {
        std::span<const char> block = TRY(input.source.Next());
        if (block.empty()) return {};
    }
}

}  // namespace

Result<std::vector<ArchiveMember>> ReadTarGz(std::span<const char> packed, const ArchiveLimits& limits) {
    TarInput input{GzipSource(packed, limits), std::nullopt};
    std::unique_ptr<archive, ArchiveReadCloser> handle(archive_read_new());
    archive_read_support_format_tar(handle.get());
    archive_read_support_filter_none(handle.get());
    if (archive_read_open(handle.get(), &input, nullptr, ReadBlock, nullptr) != ARCHIVE_OK)
        return TarError(input, handle.get());

    std::vector<ArchiveMember> members;
    std::set<std::string> seen;
    while (true) {
        archive_entry* entry = nullptr;
        int code = archive_read_next_header(handle.get(), &entry);
        if (code == ARCHIVE_EOF) break;
        // A warning is about a text that libarchive could not convert to the locale; the name's bytes are intact.
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return TarError(input, handle.get());
        const char* raw_name = archive_entry_pathname(entry);
        if (raw_name == nullptr) return Error(ErrorCode::kCorruptData, "the archive has a member without a name");
        std::string name = TRY(CleanName(raw_name, limits));
        if (!TRY(IsWantedKind(entry, Printable(name)))) continue;
        if (name.empty()) return Error(ErrorCode::kCorruptData, "the archive has a member without a name");
        if (members.size() == limits.members_max)
            return Error(ErrorCode::kResourceLimit,
                         fmt::format("the archive has more than {} members", limits.members_max));
        if (!seen.insert(name).second) return Refused(Printable(name), "comes twice");
        std::string bytes = TRY(ReadMemberBytes(handle.get(), entry, input, limits, Printable(name)));
        members.push_back({std::move(name), std::move(bytes)});
    }
    if (input.error) return std::move(*input.error);
    TRY(DrainGzip(input));
    return members;
}

Result<std::vector<ArchiveMember>> ReadTarGzFile(const std::string& path, const ArchiveLimits& limits) {
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ErrnoError("open " + path, errno);
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
        int failure = errno;
        ::close(fd);
        return ErrnoError("stat " + path, failure);
    }
    auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) {
        ::close(fd);
        return ReadTarGz({}, limits);
    }
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    int failure = errno;
    ::close(fd);
    if (data == MAP_FAILED) return ErrnoError("map " + path, failure);
    Result<std::vector<ArchiveMember>> members = ReadTarGz({static_cast<const char*>(data), size}, limits);
    ::munmap(data, size);
    return members;
}

namespace {

Error WriteError(archive* handle, std::string_view what) {
    const char* text = archive_error_string(handle);
    int number = archive_errno(handle);
    return {number == ENOSPC || number == EDQUOT ? ErrorCode::kResourceLimit : ErrorCode::kIo,
            fmt::format("{}: {}", what, text ? text : "unknown failure")};
}

Result<void> CopyFileIn(archive* handle, int fd, const ArchiveSource& source, la_int64_t size) {
    std::vector<char> block(kInflateBlockBytes);
    while (size > 0) {
        ssize_t got = ::read(fd, block.data(), std::min<std::size_t>(block.size(), static_cast<std::size_t>(size)));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ErrnoError("read " + source.path, errno);
        if (got == 0) return Error(ErrorCode::kIo, fmt::format("{} became shorter while it was packed", source.path));
        if (archive_write_data(handle, block.data(), static_cast<std::size_t>(got)) != got)
            return WriteError(handle, "pack " + source.path);
        size -= got;
    }
    return {};
}

Result<void> WriteMember(archive* handle, const ArchiveSource& source, UnixMillis modified) {
    int fd = ::open(source.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return ErrnoError("open " + source.path, errno);
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
        int failure = errno;
        ::close(fd);
        return ErrnoError("stat " + source.path, failure);
    }
    std::unique_ptr<archive_entry, EntryCloser> entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), source.name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_size(entry.get(), status.st_size);
    archive_entry_set_mtime(entry.get(), modified / 1000, 0);
    Result<void> outcome;
    if (archive_write_header(handle, entry.get()) != ARCHIVE_OK)
        outcome = WriteError(handle, "pack " + source.path);
    else
        outcome = CopyFileIn(handle, fd, source, status.st_size);
    ::close(fd);
    return outcome;
}

Result<void> WriteArchive(int fd, const std::string& archive_path, std::span<const ArchiveSource> sources,
                          UnixMillis modified) {
    std::unique_ptr<archive, ArchiveWriteCloser> handle(archive_write_new());
    archive_write_add_filter_gzip(handle.get());
    // Without the time of packing in the gzip header the same model gives the same archive.
    archive_write_set_filter_option(handle.get(), "gzip", "timestamp", nullptr);
    archive_write_set_format_pax_restricted(handle.get());
    if (archive_write_open_fd(handle.get(), fd) != ARCHIVE_OK) return WriteError(handle.get(), "write " + archive_path);
    for (const ArchiveSource& source : sources) TRY(WriteMember(handle.get(), source, modified));
    if (archive_write_close(handle.get()) != ARCHIVE_OK) return WriteError(handle.get(), "write " + archive_path);
    if (::fsync(fd) != 0) return ErrnoError("fsync " + archive_path, errno);
    return {};
}

}  // namespace

Result<void> WriteTarGz(const std::string& archive_path, std::span<const ArchiveSource> sources, UnixMillis modified) {
    int fd = ::open(archive_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return ErrnoError("create " + archive_path, errno);
    Result<void> outcome = WriteArchive(fd, archive_path, sources, modified);
    if (::close(fd) != 0 && outcome) outcome = ErrnoError("close " + archive_path, errno);
    if (!outcome) ::unlink(archive_path.c_str());
    return outcome;
}

Result<std::vector<ArchiveSource>> ListArchiveSources(const std::string& directory) {
    std::vector<ArchiveSource> sources;
    std::error_code failure;
    std::filesystem::recursive_directory_iterator walk(directory, failure);
    if (failure) return ErrnoError("list " + directory, failure.value());
    for (; walk != std::filesystem::recursive_directory_iterator(); walk.increment(failure)) {
        if (failure) return ErrnoError("list " + directory, failure.value());
        if (walk->symlink_status(failure).type() != std::filesystem::file_type::regular) continue;
        sources.push_back({walk->path().lexically_relative(directory).string(), walk->path().string()});
    }
    if (failure) return ErrnoError("list " + directory, failure.value());
    std::sort(sources.begin(), sources.end(),
              [](const ArchiveSource& a, const ArchiveSource& b) { return a.name < b.name; });
    return sources;
}

}  // namespace espalier
